;; Its allocator calls the host, which is in the middle of a call of the guest.
;;! item: "a text that is long"
;;! good: "ok" => true
;;! trap: cannot leave component instance
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
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (if (i32.gt_u (local.get $size) (i32.const 16))
        (then (call $log (i32.const 2) (i32.const 0) (i32.const 1))))
      (i32.const 1024))
    (func (export "attack") (param i32 i32) (result i32) (i32.const 1)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "log" (func $log)) (export "panic" (func $panic)) (export "memory" (memory $s "memory"))))))
  (func (export "attack") (param "x" string) (result bool)
    (canon lift (core func $i "attack") (memory (core memory $s "memory")) (realloc (core func $i "realloc")))))
