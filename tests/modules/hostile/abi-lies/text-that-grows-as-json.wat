;; Returns text of control characters, which takes six times as much as JSON: beyond the limit of results only there.
;;! good: 7 => "ok"
;;! limits: result-bytes=1MiB
;;! output-limit: 1048576
(component
  (core module $code
    (memory (export "memory") 17)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (memory.fill (i32.const 1024) (i32.const 1) (i32.const 1000000))
          (i32.store (i32.const 16) (i32.const 1024))
          (i32.store (i32.const 20) (i32.const 1000000))
          (i32.const 16))
        (else
          (i32.store (i32.const 16) (i32.const 8))
          (i32.store (i32.const 20) (i32.const 2))
          (i32.const 16)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result string)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
