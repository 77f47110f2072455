;; Replaces a function of a table by another one.
;;! fresh: 7
(component
  (core module $code
    (table $t funcref (elem $seven))
    (func $seven (result i64) (i64.const 7))
    (func $eight (result i64) (i64.const 8))
    (elem declare func $eight)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (call_indirect (result i64) (i32.const 0)))
      (table.set $t (i32.const 0) (ref.func $eight))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
