;; Adds numbers of 128 bits.
;;! refused: wide arithmetic support is not enabled
(component
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i64.add128 (local.get $x) (local.get $x) (local.get $x) (local.get $x))
          (drop)
          (drop)))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
