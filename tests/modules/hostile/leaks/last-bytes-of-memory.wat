;; Leaves a secret in the last bytes of memory.
;;! fresh: 0
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.load (i32.const 65528)))
      (i64.store (i32.const 65528) (local.get $x))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
