;; Leaves a function in a table, where there was none.
;;! fresh: 1
(component
  (core module $code
    (table $t 4 funcref)
    (elem declare func $attack)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.extend_i32_u (ref.is_null (table.get $t (i32.const 2)))))
      (table.set $t (i32.const 2) (ref.func $attack))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
