;; Asks again and again for memory that it does not get.
;;! limits: timeout=300ms memory=16MiB
;;! timeout: 300ms
(component
  (core module $code
    (memory $m 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again (drop (memory.grow (i32.const 65535))) (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
