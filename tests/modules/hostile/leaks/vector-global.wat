;; Leaves a secret in the upper half of a vector.
;;! fresh: 0
(component
  (core module $code
    (global $secret (mut v128) (v128.const i64x2 0 0))
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64x2.extract_lane 1 (global.get $secret)))
      (global.set $secret (i64x2.splat (local.get $x)))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
