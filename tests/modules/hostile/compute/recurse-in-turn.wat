;; Two functions call each other through a table without an end.
;;! trap: call stack exhausted
(component
  (core module $code
    (type $f (func (param i64) (result i64)))
    (table funcref (elem $even $odd))
    (func $even (type $f) (i64.add (call_indirect (type $f) (local.get 0) (i32.const 1)) (i64.const 1)))
    (func $odd (type $f) (i64.add (call_indirect (type $f) (local.get 0) (i32.const 0)) (i64.const 2)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $even (local.get $x)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
