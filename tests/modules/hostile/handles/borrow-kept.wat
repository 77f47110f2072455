;; Keeps what it was only lent beyond the end of the call.
;;! trap: borrow handles still remain
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
  (component $keeper
    (import "owner" (instance $owner (export "thing" (type (sub resource)))))
    (alias export $owner "thing" (type $thing))
    (core module $code (func (export "keep") (param i32)))
    (core instance $i (instantiate $code))
    (func (export "keep") (param "it" (borrow $thing)) (canon lift (core func $i "keep"))))
  (instance $k (instantiate $keeper (with "owner" (instance $o))))
  (component $user
    (import "owner" (instance $o
      (export "thing" (type $thing (sub resource)))
      (export "make" (func (result (own $thing))))
      (export "look" (func (param "it" (borrow $thing)) (result u64)))))
    (alias export $o "thing" (type $thing))
    (core func $make (canon lower (func $o "make")))
    (core func $look (canon lower (func $o "look")))
    (core func $drop (canon resource.drop $thing))
    (import "keep" (func $lend (param "it" (borrow $thing))))
    (core func $keep (canon lower (func $lend)))
    (core module $code
      (import "o" "make" (func $make (result i32)))
      (import "o" "look" (func $look (param i32) (result i64)))
      (import "o" "drop" (func $drop (param i32)))
      (import "o" "keep" (func $keep (param i32)))
      (global $handle (mut i32) (i32.const 0))
      (func $attack (export "attack") (param $x i64) (result i64)
        (if (i64.lt_s (local.get $x) (i64.const 0))
          (then
            (call $keep (call $make))))
        (local.get $x)))
    (core instance $i (instantiate $code
      (with "o" (instance
        (export "make" (func $make)) (export "look" (func $look)) (export "drop" (func $drop)) (export "keep" (func $keep))))))
    (func (export "attack") (param "x" s64) (result s64)
      (canon lift (core func $i "attack"))))
  (instance $u (instantiate $user (with "owner" (instance $o)) (with "keep" (func $k "keep"))))
  (export "attack" (func $u "attack")))
