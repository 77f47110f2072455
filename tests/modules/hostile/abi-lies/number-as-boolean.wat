;; Returns 2 where the type is a boolean: every number but 0 is true.
;;! good: 7 => false
;;! done: true
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const 2))
        (else
          (i32.const 0)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result bool)
    (canon lift (core func $i "attack"))))
