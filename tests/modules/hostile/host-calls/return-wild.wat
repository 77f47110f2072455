;; Says that the results which it returns lie behind its memory.
;;! trap: out of bounds
(component
  (import "wasmpool:task/results@0.1.0" (instance $results
    (type $advice' (enum "proceed" "report" "stop"))
    (export "advice" (type $advice (eq $advice')))
    (type $emit-error' (variant (case "no-item") (case "output-limit" u64)))
    (export "emit-error" (type $emit-error (eq $emit-error')))
    (export "begin" (func (param "index" u32) (result $advice)))
    (export "report" (func (param "results" (list u8))))
    (export "emit" (func (param "value" (list u8)) (result (result (error $emit-error)))))))
  (core module $store (memory (export "memory") 2))
  (core instance $s (instantiate $store))
  (core func $begin (canon lower (func $results "begin")))
  (core func $report (canon lower (func $results "report") (memory (core memory $s "memory"))))
  (core func $emit (canon lower (func $results "emit") (memory (core memory $s "memory"))))
  (core module $code
    (import "host" "begin" (func $begin (param i32) (result i32)))
    (import "host" "report" (func $report (param i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32)))
    (import "host" "memory" (memory 2))
    (data (i32.const 64) "attack")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x8000))
    (func (export "list-tasks") (result i32)
      (i32.store (i32.const 32) (i32.const 48)) ;; one task
      (i32.store (i32.const 36) (i32.const 1))
      (i32.store (i32.const 48) (i32.const 64)) ;; its name
      (i32.store (i32.const 52) (i32.const 6))
      (i32.store (i32.const 56) (i32.const 64)) ;; its description
      (i32.store (i32.const 60) (i32.const 0))
      (i32.const 32))
    (func $report-item (param $index i32) (param $status i32) (param $at i32) (param $length i32)
      (i32.store (i32.const 0x4000) (local.get $index))
      (i32.store8 (i32.const 0x4004) (local.get $status))
      (i32.store (i32.const 0x4005) (local.get $length))
      (memory.copy (i32.const 0x4009) (local.get $at) (local.get $length))
      (call $report (i32.const 0x4000) (i32.add (i32.const 9) (local.get $length))))
    (func (export "run") (param $task i32) (param $input i32) (param $output i32) (param $at i32) (param $size i32)
        (result i32)
      (local $end i32) (local $index i32) (local $length i32)
      (local.set $end (i32.add (local.get $at) (local.get $size)))
      (i64.store (i32.const 16) (i64.const 0)) ;; ok,
      (i64.store (i32.const 24) (i64.const 0)) ;; with nothing left to report
      (loop $next
        (local.set $length (i32.load (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (drop (call $begin (local.get $index)))
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2d))
          (then
            (i32.store (i32.const 24) (i32.const -8))
            (i32.store (i32.const 28) (i32.const 64))
            (return (i32.const 16)))
          (else
            (call $report-item (local.get $index) (i32.const 0) (local.get $at) (local.get $length))))
        (local.set $at (i32.add (local.get $at) (local.get $length)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
      (i32.const 16)))
  (core instance $i (instantiate $code
    (with "host" (instance
      (export "begin" (func $begin)) (export "report" (func $report)) (export "emit" (func $emit))
      (export "memory" (memory $s "memory"))))))
  (type $encoding (enum "json" "postcard" "raw"))
  (type $task (record (field "name" string) (field "description" string)))
  (type $run-error (variant
    (case "unknown-task" u32) (case "unsupported-encoding" $encoding) (case "malformed-chunk" u64)))
  (type $tasks (list $task))
  (type $bytes (list u8))
  (type $ran (result $bytes (error $run-error)))
  (func $list-tasks (result $tasks)
    (canon lift (core func $i "list-tasks") (memory (core memory $s "memory"))))
  (func $run (param "task" u32) (param "input" $encoding) (param "output" $encoding) (param "chunk" $bytes) (result $ran)
    (canon lift (core func $i "run")
      (memory (core memory $s "memory")) (realloc (core func $i "realloc"))))
  (instance $map
    (export "encoding" (type $encoding)) (export "task" (type $task)) (export "run-error" (type $run-error))
    (export "list-tasks" (func $list-tasks)) (export "run" (func $run)))
  (export "wasmpool:task/map@0.1.0" (instance $map)))
