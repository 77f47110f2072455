;; The tasks of the examples in the documentation: in each example's own folder this is `tasks.wasm`.
(component
  (import "wasmpool:task/log@0.1.0" (instance $log
    (type $severity (enum "error" "warn" "info" "debug" "trace"))
    (export "level" (type $level (eq $severity)))
    (export "log" (func (param "level" $level) (param "message" string)))))
  (import "wasmpool:task/results@0.1.0" (instance $results
    (type $emit-error' (variant (case "no-item") (case "output-limit" u64)))
    (export "emit-error" (type $emit-error (eq $emit-error')))
    (export "emit" (func (param "value" (list u8)) (result (result (error $emit-error)))))))
  (import "wasmpool:task/queues@0.1.0" (instance $queues
    (export "queue" (type $queue (sub resource)))
    (type $open-error' (variant (case "not-granted") (case "too-many-handles" u32)))
    (export "open-error" (type $open-error (eq $open-error')))
    (type $put-error' (variant (case "full") (case "closed") (case "too-large" u64) (case "not-permitted")))
    (export "put-error" (type $put-error (eq $put-error')))
    (export "[static]queue.open"
      (func (param "name" string) (result (result (own $queue) (error $open-error)))))
    (export "[method]queue.try-put"
      (func (param "self" (borrow $queue)) (param "message" (list u8)) (result (result (error $put-error)))))))
  (alias export $queues "queue" (type $queue))

  (core module $room
    (memory (export "memory") 1)
    (data (i32.const 0) "greetings"))
  (core instance $room (instantiate $room))
  (alias core export $room "memory" (core memory $memory))
  (core func $log (canon lower (func $log "log") (memory $memory)))
  (core func $emit (canon lower (func $results "emit") (memory $memory)))
  (core func $open (canon lower (func $queues "[static]queue.open") (memory $memory)))
  (core func $put (canon lower (func $queues "[method]queue.try-put") (memory $memory)))
  (core func $drop (canon resource.drop $queue))

  (core module $code
    (import "room" "memory" (memory 1))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32)))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "put" (func $put (param i32 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (global $base (mut i64) (i64.const 0))

    (func (export "square") (param $x i64) (result i64)
      (i64.mul (local.get $x) (local.get $x)))
    (func (export "add") (param $a i64) (param $b i64) (result i64)
      (i64.add (local.get $a) (local.get $b)))
    ;; Traps on 0.
    (func (export "inverse") (param $x i64) (result i64)
      (i64.div_s (i64.const 1000) (local.get $x)))
    ;; Never ends.
    (func (export "spin") (param $x i64) (result i64)
      (loop $again (br $again))
      unreachable)
    ;; What `above` adds: for an initializer.
    (func (export "start-at") (param $x i64)
      (global.set $base (local.get $x)))
    (func (export "above") (param $x i64) (result i64)
      (i64.add (global.get $base) (local.get $x)))
    ;; Emits the numbers from one of a digit down to 1, and returns how many.
    (func (export "countdown") (param $from i64) (result i64)
      (local $n i64)
      (local.set $n (local.get $from))
      (loop $next
        (i32.store8 (i32.const 16) (i32.add (i32.const 48) (i32.wrap_i64 (local.get $n))))
        (call $emit (i32.const 16) (i32.const 1) (i32.const 32))
        (if (i32.load8_u (i32.const 32)) (then unreachable))
        (local.set $n (i64.sub (local.get $n) (i64.const 1)))
        (br_if $next (i64.gt_s (local.get $n) (i64.const 0))))
      (local.get $from))
    ;; There is never more than one text at a time, and none is long.
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (if (i32.gt_u (local.get $size) (i32.const 32768)) (then unreachable))
      (i32.const 4096))
    (func (export "count-words") (param $at i32) (param $len i32) (result i64)
      (local $words i64)
      (local $end i32)
      (local $inside i32)
      (local $letter i32)
      (local.set $end (i32.add (local.get $at) (local.get $len)))
      (loop $next
        (if (i32.ge_u (local.get $at) (local.get $end)) (then (return (local.get $words))))
        (local.set $letter (i32.gt_u (i32.load8_u (local.get $at)) (i32.const 32)))
        (if (i32.gt_u (local.get $letter) (local.get $inside))
          (then (local.set $words (i64.add (local.get $words) (i64.const 1)))))
        (local.set $inside (local.get $letter))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next))
      unreachable)
    ;; Logs a text.
    (func (export "say") (param $at i32) (param $len i32)
      (call $log (i32.const 2) (local.get $at) (local.get $len)))
    ;; Puts a text into the queue `greetings`.
    (func (export "greet") (param $at i32) (param $len i32)
      (local $queue i32)
      (call $open (i32.const 0) (i32.const 9) (i32.const 32))
      (if (i32.load8_u (i32.const 32)) (then unreachable))
      (local.set $queue (i32.load (i32.const 36)))
      (call $put (local.get $queue) (local.get $at) (local.get $len) (i32.const 32))
      (if (i32.load8_u (i32.const 32)) (then unreachable))
      (call $drop (local.get $queue))))
  (core instance $i (instantiate $code
    (with "room" (instance $room))
    (with "host" (instance
      (export "log" (func $log)) (export "emit" (func $emit)) (export "open" (func $open))
      (export "put" (func $put)) (export "drop" (func $drop))))))

  (func (export "square") (param "x" s64) (result s64) (canon lift (core func $i "square")))
  (func (export "add") (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $i "add")))
  (func (export "inverse") (param "x" s64) (result s64) (canon lift (core func $i "inverse")))
  (func (export "spin") (param "x" s64) (result s64) (canon lift (core func $i "spin")))
  (func (export "start-at") (param "x" s64) (canon lift (core func $i "start-at")))
  (func (export "above") (param "x" s64) (result s64) (canon lift (core func $i "above")))
  (func (export "countdown") (param "start" s64) (result s64) (canon lift (core func $i "countdown")))
  (func (export "count-words") (param "text" string) (result u64)
    (canon lift (core func $i "count-words") (memory $memory) (realloc (core func $i "realloc"))))
  (func (export "say") (param "text" string)
    (canon lift (core func $i "say") (memory $memory) (realloc (core func $i "realloc"))))
  (func (export "greet") (param "text" string)
    (canon lift (core func $i "greet") (memory $memory) (realloc (core func $i "realloc")))))
