;; Is no task but an ordinary function, and reports results, of all items that there can be, as if it were one.
;;! trap: by tasks only
(component
  (import "wasmpool:task/results@0.1.0" (instance $results
    (type $advice' (enum "proceed" "report" "stop"))
    (export "advice" (type $advice (eq $advice')))
    (type $emit-error' (variant (case "no-item") (case "output-limit" u64)))
    (export "emit-error" (type $emit-error (eq $emit-error')))
    (export "begin" (func (param "index" u32) (result $advice)))
    (export "report" (func (param "results" (list u8))))
    (export "emit" (func (param "value" (list u8)) (result (result (error $emit-error)))))))
  (core module $store (memory (export "memory") 1))
  (core instance $s (instantiate $store))
  (core func $begin (canon lower (func $results "begin")))
  (core func $report (canon lower (func $results "report") (memory (core memory $s "memory"))))
  (core func $emit (canon lower (func $results "emit") (memory (core memory $s "memory"))))
  (core module $code
    (import "host" "begin" (func $begin (param i32) (result i32)))
    (import "host" "report" (func $report (param i32 i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32)))
    (import "host" "memory" (memory 1))
    (func $attack (export "attack") (param $x i64) (result i64) (local $index i32)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (local.set $index (i32.const 0))
          (loop $next
            (i32.store (i32.const 0) (local.get $index))
            (i32.store8 (i32.const 4) (i32.const 0)) ;; done,
            (i32.store (i32.const 5) (i32.const 1)) ;; with a result of one byte:
            (i32.store8 (i32.const 9) (i32.const 0x35))
            (call $report (i32.const 0) (i32.const 10))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $index) (i32.const 10))))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance
      (export "begin" (func $begin)) (export "report" (func $report)) (export "emit" (func $emit))
      (export "memory" (memory $s "memory"))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
