;; Calls an empty place of a table.
;;! trap: uninitialized element
(component
  (core module $code
    (table 4 funcref)
    (type $f (func (param i64) (result i64)))
    (elem declare func $other)
    (func $other (param i32) (result i32) (local.get 0))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call_indirect (type $f) (local.get $x) (i32.const 3)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
