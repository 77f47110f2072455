;; Reads four GiB of standard input, of which there is none: it is closed.
;;! done: 1
(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $failure))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "input-stream" (type $input (sub resource)))
    (alias outer 1 $failure (type $failure'))
    (export "error" (type $failure (eq $failure')))
    (type $stream-error' (variant (case "last-operation-failed" (own $failure)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream-error')))
    (export "[method]input-stream.blocking-read" (func
      (param "self" (borrow $input)) (param "len" u64) (result (result (list u8) (error $stream-error)))))))
  (alias export $streams "input-stream" (type $input))
  (import "wasi:cli/stdin@0.2.0" (instance $stdin
    (alias outer 1 $input (type $input'))
    (export "input-stream" (type $input (eq $input')))
    (export "get-stdin" (func (result (own $input))))))
  (core module $store (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x8000)))
  (core instance $s (instantiate $store))
  (core func $get-stdin (canon lower (func $stdin "get-stdin")))
  (core func $read
    (canon lower (func $streams "[method]input-stream.blocking-read")
      (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "get-stdin" (func $get-stdin (result i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $read (call $get-stdin) (i64.const 0xffffffff) (i32.const 64))
          ;; 1 is an error.
          (local.set $x (i64.load8_u (i32.const 64)))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "memory" (memory $s "memory")) (export "get-stdin" (func $get-stdin)) (export "read" (func $read))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
