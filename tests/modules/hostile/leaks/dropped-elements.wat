;; Drops an element segment, without which the next item would trap.
;;! fresh: 7
(component
  (core module $code
    (table 1 funcref)
    (elem $e func $seven)
    (func $seven (result i64) (i64.const 7))
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (table.init $e (i32.const 0) (i32.const 0) (i32.const 1))
      (local.set $found (call_indirect (result i64) (i32.const 0)))
      (elem.drop $e)
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
