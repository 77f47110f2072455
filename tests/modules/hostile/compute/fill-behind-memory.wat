;; Fills from within its memory to behind it.
;;! trap: out of bounds memory access
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (memory.fill (i32.const 65535) (i32.const 1) (i32.const 2))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
