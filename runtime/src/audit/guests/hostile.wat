;; What an audit runs against a pool's limits: a function an attack. Each takes one number.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $pollable'))
    (export "pollable" (type $pollable (eq $pollable')))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasmpool:task/log@0.1.0" (instance $log
    (type $level' (enum "error" "warn" "info" "debug" "trace"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)))))
  (import "wasmpool:task/results@0.1.0" (instance $results
    (type $emit-error' (variant (case "no-item") (case "output-limit" u64)))
    (export "emit-error" (type $emit-error (eq $emit-error')))
    (export "emit" (func (param "value" (list u8)) (result (result (error $emit-error)))))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:filesystem/types@0.2.0" (instance $files
    (export "descriptor" (type (sub resource)))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $descriptor'))
    (export "descriptor" (type $descriptor (eq $descriptor')))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (import "wasi:sockets/network@0.2.0" (instance $network
    (type $error-code' (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
      "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable"
      "address-in-use" "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
      "datagram-too-large" "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type $error-code (eq $error-code')))
    (type $family' (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type $family (eq $family')))))
  (alias export $network "error-code" (type $error-code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (alias outer 1 $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (alias outer 1 $family (type $family'))
    (export "ip-address-family" (type $family (eq $family')))
    (alias outer 1 $socket (type $socket'))
    (export "tcp-socket" (type $socket (eq $socket')))
    (export "create-tcp-socket"
      (func (param "address-family" $family) (result (result (own $socket) (error $error-code)))))))

  ;; What calls write, they write from 32 KiB on; each call over what the one before wrote.
  (core module $store
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x8000)))
  (core instance $s (instantiate $store))
  (core func $after (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $log (canon lower (func $log "log") (memory (core memory $s "memory"))))
  (core func $emit (canon lower (func $results "emit") (memory (core memory $s "memory"))))
  (core func $variables (canon lower (func $environment "get-environment")
    (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core func $arguments (canon lower (func $environment "get-arguments")
    (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core func $socket (canon lower (func $create "create-tcp-socket") (memory (core memory $s "memory"))))

  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "after" (func $after (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32)))
    (import "host" "variables" (func $variables (param i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "directories" (func $directories (param i32)))
    (import "host" "socket" (func $socket (param i32 i32)))

    (func (export "identity") (param $x i64) (result i64) (local.get $x))

    (func (export "spin") (param i64) (result i64)
      (loop $again (br $again))
      (unreachable))

    ;; For 584 years, in the host.
    (func (export "sleep") (param i64) (result i64)
      (call $block (call $after (i64.const -1)))
      (i64.const 0))

    ;; 16 MiB at a time, in one instruction.
    (func (export "fill") (param i64) (result i64)
      (drop (memory.grow (i32.const 256)))
      (loop $again
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 16777216))
        (br $again))
      (unreachable))

    ;; As much as there is, a page at a time, each written to. Gives the bytes.
    (func (export "grow") (param i64) (result i64)
      (local $at i32)
      (block $full
        (loop $again
          (local.set $at (memory.grow (i32.const 1)))
          (br_if $full (i32.lt_s (local.get $at) (i32.const 0)))
          (i32.store (i32.shl (local.get $at) (i32.const 16)) (i32.const 1))
          (br $again)))
      (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))

    (table $table 1 funcref)
    ;; Gives the elements of the table when it could not grow any more.
    (func (export "grow-table") (param i64) (result i64)
      (block $full
        (loop $again
          (br_if $full (i32.lt_s (table.grow $table (ref.null func) (i32.const 100)) (i32.const 0)))
          (br $again)))
      (i64.extend_i32_u (table.size $table)))

    (func $deeper (export "recurse") (param $x i64) (result i64)
      (i64.add (call $deeper (i64.add (local.get $x) (i64.const 1))) (i64.const 1)))

    ;; A text of so many bytes.
    (func (export "text") (param $length i64) (result i32)
      (drop (memory.grow (i32.wrap_i64 (i64.shr_u (i64.add (local.get $length) (i64.const 65535)) (i64.const 16)))))
      (memory.fill (i32.const 65536) (i32.const 120) (i32.wrap_i64 (local.get $length)))
      (i32.store (i32.const 64) (i32.const 65536))
      (i32.store (i32.const 68) (i32.wrap_i64 (local.get $length)))
      (i32.const 64))

    ;; So many empty lists: 8 bytes each here, more in the host.
    (func (export "lists") (param $count i64) (result i32)
      (drop (memory.grow (i32.wrap_i64 (i64.shr_u (i64.add (i64.shl (local.get $count) (i64.const 3)) (i64.const 65535)) (i64.const 16)))))
      (i32.store (i32.const 64) (i32.const 65536))
      (i32.store (i32.const 68) (i32.wrap_i64 (local.get $count)))
      (i32.const 64))

    (func (export "log") (param i64) (result i64)
      (loop $again
        (call $log (i32.const 2) (i32.const 256) (i32.const 200))
        (br $again))
      (unreachable))

    ;; Values of 1 KiB, until no more are taken. Gives how many were.
    (func (export "emit") (param i64) (result i64)
      (local $taken i64)
      (memory.fill (i32.const 1024) (i32.const 48) (i32.const 1024))
      ;; A number, in JSON.
      (memory.fill (i32.const 1024) (i32.const 49) (i32.const 1))
      (block $full
        (loop $again
          (call $emit (i32.const 1024) (i32.const 1024) (i32.const 64))
          (br_if $full (i32.load8_u (i32.const 64)))
          (local.set $taken (i64.add (local.get $taken) (i64.const 1)))
          (br_if $again (i64.lt_u (local.get $taken) (i64.const 1000000)))))
      (local.get $taken))

    (func $count (result i64) (i64.load32_u (i32.const 68)))
    (func (export "variables") (param i64) (result i64) (call $variables (i32.const 64)) (call $count))
    (func (export "arguments") (param i64) (result i64) (call $arguments (i32.const 64)) (call $count))
    (func (export "directories") (param i64) (result i64) (call $directories (i32.const 64)) (call $count))

    ;; 0 if there is a socket, else 1 and the number of the error.
    (func (export "socket") (param i64) (result i64)
      (call $socket (i32.const 0) (i32.const 64))
      (if (result i64) (i32.load8_u (i32.const 64))
        (then (i64.add (i64.const 1) (i64.load8_u (i32.const 68))))
        (else (i64.const 0))))

    ;; An error that would clear a terminal, ring its bell, begin a line anew and turn its text round.
    (data (i32.const 128) "a\1b[2Jb\07c\0dd\e2\80\aee")
    (func (export "deceive") (param i64) (result i32)
      (i32.store8 (i32.const 64) (i32.const 1))
      (i32.store (i32.const 72) (i32.const 128))
      (i32.store (i32.const 76) (i32.const 14))
      (i32.const 64))

    ;; What the item before left behind; leaves something itself.
    (func (export "leave") (param i64) (result i64)
      (i64.load (i32.const 32))
      (i64.store (i32.const 32) (i64.const 7))))

  (core instance $i (instantiate $code
    (with "host" (instance
      (export "memory" (memory $s "memory"))
      (export "after" (func $after))
      (export "block" (func $block))
      (export "log" (func $log))
      (export "emit" (func $emit))
      (export "variables" (func $variables))
      (export "arguments" (func $arguments))
      (export "directories" (func $directories))
      (export "socket" (func $socket))))))

  (func (export "identity") (param "x" s64) (result s64) (canon lift (core func $i "identity")))
  (func (export "spin") (param "x" s64) (result s64) (canon lift (core func $i "spin")))
  (func (export "sleep") (param "x" s64) (result s64) (canon lift (core func $i "sleep")))
  (func (export "fill") (param "x" s64) (result s64) (canon lift (core func $i "fill")))
  (func (export "grow") (param "x" s64) (result s64) (canon lift (core func $i "grow")))
  (func (export "grow-table") (param "x" s64) (result s64) (canon lift (core func $i "grow-table")))
  (func (export "recurse") (param "x" s64) (result s64) (canon lift (core func $i "recurse")))
  (func (export "text") (param "x" s64) (result string)
    (canon lift (core func $i "text") (memory (core memory $s "memory"))))
  (func (export "lists") (param "x" s64) (result (list (list u8)))
    (canon lift (core func $i "lists") (memory (core memory $s "memory"))))
  (func (export "log") (param "x" s64) (result s64) (canon lift (core func $i "log")))
  (func (export "emit") (param "x" s64) (result s64) (canon lift (core func $i "emit")))
  (func (export "variables") (param "x" s64) (result s64) (canon lift (core func $i "variables")))
  (func (export "arguments") (param "x" s64) (result s64) (canon lift (core func $i "arguments")))
  (func (export "directories") (param "x" s64) (result s64) (canon lift (core func $i "directories")))
  (func (export "socket") (param "x" s64) (result s64) (canon lift (core func $i "socket")))
  (func (export "deceive") (param "x" s64) (result (result u64 (error string)))
    (canon lift (core func $i "deceive") (memory (core memory $s "memory"))))
  (func (export "leave") (param "x" s64) (result s64) (canon lift (core func $i "leave"))))
