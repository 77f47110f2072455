;; Says that pointer and length of its result lie half behind its memory.
;;! good: 7 => "ok"
;;! trap: out of bounds
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const 65532))
        (else
          (i32.store (i32.const 16) (i32.const 8))
          (i32.store (i32.const 20) (i32.const 2))
          (i32.const 16)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result string)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
