;; Leaves a handle, which the next item would have without asking.
;;! fresh: 1
(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core module $code
    (import "r" "new" (func $new (param i32) (result i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.extend_i32_u (call $new (i32.const 42))))
      (local.get $found)))
  (core instance $i (instantiate $code
    (with "r" (instance (export "new" (func $new))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
