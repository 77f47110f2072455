;; Uses a handle that it made up: 1000.
;;! trap: unknown handle index
(component
  (type $thing (resource (rep i32)))
  (type $other (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (core func $rep (canon resource.rep $thing))
  (core func $drop (canon resource.drop $thing))
  (core func $other-rep (canon resource.rep $other))
  (core module $code
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "rep" (func $rep (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (import "r" "other-rep" (func $other-rep (param i32) (result i32)))
    (global $handle (mut i32) (i32.const 0))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $new (i32.const 42)))
          (drop (call $rep (i32.const 1000)))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "r" (instance
      (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))
      (export "other-rep" (func $other-rep))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
