;; Makes an integer of what is not a number.
;;! trap: invalid conversion to integer
(component
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (i32.trunc_f64_s (f64.div (f64.const 0) (f64.const 0))))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
