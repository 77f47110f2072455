;; Sleeps until the last instant there is.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))
    (export "subscribe-instant" (func (param "when" u64) (result (own $pollable))))))
  (core module $store (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x8000)))
  (core instance $s (instantiate $store))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $at (canon lower (func $clock "subscribe-instant")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $poll
    (canon lower (func $poll "poll") (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "after" (func $after (param i64) (result i32)))
    (import "host" "at" (func $at (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $block (call $at (i64.const -1)))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "memory" (memory $s "memory")) (export "after" (func $after)) (export "at" (func $at))
      (export "block" (func $block)) (export "poll" (func $poll))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
