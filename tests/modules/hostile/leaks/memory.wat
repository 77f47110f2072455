;; Leaves a secret in memory, for the next item to find.
;;! fresh: 0
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.load (i32.const 5000)))
      (i64.store (i32.const 5000) (local.get $x))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
