;; Leaves a value of another type than it says.
;;! refused: type mismatch
(component
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (local.set $x (i32.const 0))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
