;; Writes at an address that is negative if it is taken for a signed one.
;;! trap: out of bounds memory access
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i64.store (i32.const -8) (i64.const -1))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
