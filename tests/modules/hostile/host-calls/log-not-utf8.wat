;; Writes a message that is no text.
;;! trap: utf-8
(component
  (import "wasmpool:task/log@0.1.0" (instance $log
    (type $level' (enum "error" "warn" "info" "debug" "trace"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)))
    (export "panic" (func (param "message" string)))))
  (core module $store (memory (export "memory") 1))
  (core instance $s (instantiate $store))
  (core func $log (canon lower (func $log "log") (memory (core memory $s "memory"))))
  (core func $panic (canon lower (func $log "panic") (memory (core memory $s "memory"))))
  (core module $code
    (import "host" "log" (func $log (param i32 i32 i32)))
    (import "host" "panic" (func $panic (param i32 i32)))
    (import "host" "memory" (memory 1))
    (data (i32.const 0) "\ff\fe")
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $log (i32.const 2) (i32.const 0) (i32.const 2))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "log" (func $log)) (export "panic" (func $panic)) (export "memory" (memory $s "memory"))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
