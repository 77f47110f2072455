;; Traps behind tail calls, where the frames of the callers are gone. The backtrace is made of what is there.
;;! trap: unreachable
;;! stderr: the-last
(component
  (core module $code
    (func $the-last (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64) unreachable)
    (func $second (param i64 i64) (result i64)
      (return_call $the-last (local.get 0) (local.get 1) (local.get 0) (local.get 1) (local.get 0)
        (local.get 1) (local.get 0) (local.get 1) (local.get 0) (local.get 1)))
    (func $first (param i64) (result i64) (return_call $second (local.get 0) (local.get 0)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $first (local.get $x)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
