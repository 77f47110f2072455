;; Functions that take too long, each in its way, or that say a lot on the way.
(component
  (import "wasmpool:task/log@0.1.0" (instance $log
    (type $severity (enum "error" "warn" "info" "debug" "trace"))
    (export "level" (type $level (eq $severity)))
    (export "log" (func (param "level" $level) (param "message" string)))))

  (core module $memory
    (memory (export "memory") 600))
  (core instance $memory (instantiate $memory))
  (core func $log (canon lower (func $log "log") (memory (core memory $memory "memory"))))

  (core module $code
    (import "pool" "memory" (memory 600))
    (import "pool" "log" (func $log (param i32 i32 i32)))

    (func (export "identity") (param $x i64) (result i64)
      (local.get $x))

    ;; Loops for ever, two calls deep.
    (func $the-spinner (param $x i64)
      (loop $again
        (br_if $again (i64.lt_s (local.get $x) (i64.const 0)))))
    (func $who-calls-it (export "spin-if-negative") (param $x i64) (result i64)
      (call $the-spinner (local.get $x))
      (local.get $x))

    ;; One instruction after the other, each of which writes 32 MiB.
    (func (export "fill-if-negative") (param $x i64) (result i64)
      (loop $again
        (if (i64.lt_s (local.get $x) (i64.const 0))
          (then
            (memory.fill (i32.const 65536) (i32.const 1) (i32.const 33554432))
            (br $again))))
      (local.get $x))

    ;; So many messages of so many bytes; then, if the last number is not 0, a loop.
    (func (export "chat") (param $messages i32) (param $bytes i32) (param $then i32) (result i32)
      (local $left i32)
      (local.set $left (local.get $messages))
      (memory.fill (i32.const 65536) (i32.const 120) (local.get $bytes))
      (loop $again
        (call $log (i32.const 2) (i32.const 65536) (local.get $bytes))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $left) (i32.const 0))))
      (loop $for-ever
        (br_if $for-ever (local.get $then)))
      (local.get $messages)))

  (core instance $i (instantiate $code
    (with "pool" (instance
      (export "memory" (memory $memory "memory"))
      (export "log" (func $log))))))

  (func (export "identity") (param "x" s64) (result s64)
    (canon lift (core func $i "identity")))
  (func (export "spin-if-negative") (param "x" s64) (result s64)
    (canon lift (core func $i "spin-if-negative")))
  (func (export "fill-if-negative") (param "x" s64) (result s64)
    (canon lift (core func $i "fill-if-negative")))
  (func (export "chat") (param "messages" u32) (param "bytes" u32) (param "then" u32) (result u32)
    (canon lift (core func $i "chat"))))
