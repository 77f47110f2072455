;; Leaves a secret in a global.
;;! fresh: 0
(component
  (core module $code
    (global $secret (mut i64) (i64.const 0))
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (global.get $secret))
      (global.set $secret (local.get $x))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
