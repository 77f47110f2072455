;; Makes and drops another of the same in the destructor of each, without an end.
;;! trap: call stack exhausted
(component
  (core module $table (table (export "table") 2 funcref))
  (core instance $t (instantiate $table))
  ;; The destructor reaches `new` and `drop` through a table, since it is there before they are.
  (core module $destructor
    (import "t" "table" (table $t 2 funcref))
    (type $new (func (param i32) (result i32)))
    (type $drop (func (param i32)))
    (func (export "destructor") (param $rep i32)
      (call_indirect (type $drop) (call_indirect (type $new) (local.get $rep) (i32.const 0)) (i32.const 1))))
  (core instance $d (instantiate $destructor (with "t" (instance $t))))
  (type $thing (resource (rep i32) (dtor (core func $d "destructor"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $fill
    (import "t" "table" (table $t 2 funcref))
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (elem (i32.const 0) func $new $drop))
  (core instance (instantiate $fill
    (with "t" (instance $t))
    (with "r" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (core module $code
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $drop (call $new (i32.const 42)))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "r" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
