;; Leaves a table larger than it was.
;;! fresh: 1
(component
  (core module $code
    (table $t 1 funcref)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.extend_i32_u (table.size $t)))
      (drop (table.grow $t (ref.null func) (i32.const 1)))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
