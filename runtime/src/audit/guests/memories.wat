;; Four instances with a memory each, which all grow as far as they can.
(component
  (core module $part
    (memory 1)
    (func (export "grow") (result i64)
      (block $full
        (loop $again
          (br_if $full (i32.lt_s (memory.grow (i32.const 1)) (i32.const 0)))
          (br $again)))
      (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16))))
  (core instance $a (instantiate $part))
  (core instance $b (instantiate $part))
  (core instance $c (instantiate $part))
  (core instance $d (instantiate $part))
  (core module $sum
    (import "a" "grow" (func $a (result i64)))
    (import "b" "grow" (func $b (result i64)))
    (import "c" "grow" (func $c (result i64)))
    (import "d" "grow" (func $d (result i64)))
    (func (export "grow") (param i64) (result i64)
      (i64.add (i64.add (call $a) (call $b)) (i64.add (call $c) (call $d)))))
  (core instance $i (instantiate $sum
    (with "a" (instance $a)) (with "b" (instance $b)) (with "c" (instance $c)) (with "d" (instance $d))))
  (func (export "grow") (param "x" s64) (result s64) (canon lift (core func $i "grow"))))
