;; Returns exactly as much as it may.
;;! limits: result-bytes=64
;;! good: 7 => "ok"
;;! done: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (i32.store (i32.const 16) (i32.const 8))
      (i32.store (i32.const 20) (i32.const 2))
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (memory.fill (i32.const 1024) (i32.const 120) (i32.const 62))
          (i32.store (i32.const 16) (i32.const 1024))
          (i32.store (i32.const 20) (i32.const 62))))
      (i32.const 16)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result string)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
