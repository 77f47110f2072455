;; Reads from a memory that has no pages.
;;! trap: out of bounds memory access
(component
  (core module $code
    (memory 0)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (i32.load8_u (i32.const 0)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
