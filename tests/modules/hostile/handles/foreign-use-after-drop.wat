;; Lends a handle of another component that it has dropped.
;;! trap: unknown handle index
(component
  (component $owner
    (type $thing' (resource (rep i32)))
    (export $thing "thing" (type $thing'))
    (core func $new (canon resource.new $thing'))
    (core module $code
      (import "r" "new" (func $new (param i32) (result i32)))
      (func (export "make") (result i32) (call $new (i32.const 42)))
      (func (export "look") (param i32) (result i64) (i64.extend_i32_u (local.get 0))))
    (core instance $i (instantiate $code (with "r" (instance (export "new" (func $new))))))
    (func (export "make") (result (own $thing)) (canon lift (core func $i "make")))
    (func (export "look") (param "it" (borrow $thing)) (result u64) (canon lift (core func $i "look"))))
  (instance $o (instantiate $owner))
  (component $user
    (import "owner" (instance $o
      (export "thing" (type $thing (sub resource)))
      (export "make" (func (result (own $thing))))
      (export "look" (func (param "it" (borrow $thing)) (result u64)))))
    (alias export $o "thing" (type $thing))
    (core func $make (canon lower (func $o "make")))
    (core func $look (canon lower (func $o "look")))
    (core func $drop (canon resource.drop $thing))
    (core module $code
      (import "o" "make" (func $make (result i32)))
      (import "o" "look" (func $look (param i32) (result i64)))
      (import "o" "drop" (func $drop (param i32)))
      (global $handle (mut i32) (i32.const 0))
      (func $attack (export "attack") (param $x i64) (result i64)
        (if (i64.lt_s (local.get $x) (i64.const 0))
          (then
            (global.set $handle (call $make))
            (call $drop (global.get $handle))
            (drop (call $look (global.get $handle)))))
        (local.get $x)))
    (core instance $i (instantiate $code
      (with "o" (instance
        (export "make" (func $make)) (export "look" (func $look)) (export "drop" (func $drop))))))
    (func (export "attack") (param "x" s64) (result s64)
      (canon lift (core func $i "attack"))))
  (instance $u (instantiate $user (with "owner" (instance $o))))
  (export "attack" (func $u "attack")))
