;; Does not look whether its memory has grown, and writes where it would be.
;;! limits: memory=16MiB
;;! memory: 16 MiB
(component
  (core module $code
    (memory $m 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (memory.grow (i32.const 1000)))
          (i64.store (i32.const 0x3000000) (i64.const -1))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
