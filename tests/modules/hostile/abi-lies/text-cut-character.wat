;; Returns text that ends in the middle of a character.
;;! good: 7 => "ok"
;;! trap: utf-8
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (data (i32.const 64) "\f0\9f\a6")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.store (i32.const 16) (i32.const 64))
          (i32.store (i32.const 20) (i32.const 3))
          (i32.const 16))
        (else
          (i32.store (i32.const 16) (i32.const 8))
          (i32.store (i32.const 20) (i32.const 2))
          (i32.const 16)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result string)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
