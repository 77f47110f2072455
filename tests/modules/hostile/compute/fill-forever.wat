;; Fills all of its memory, again and again: one instruction runs for long.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (memory 256)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x1000000))
            (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
