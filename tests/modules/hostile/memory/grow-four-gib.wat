;; Asks for all of the address space at once.
;;! limits: memory=16MiB
;;! memory: 16 MiB
(component
  (core module $code
    (memory $m 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (if (i32.lt_s (memory.grow (i32.const 65535)) (i32.const 0)) (then unreachable))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
