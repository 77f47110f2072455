;; Returns a number with bits that its type does not have: they count for nothing.
;;! good: 7 => 7
;;! done: 255
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const -1))
        (else
          (i32.const 7)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result u8)
    (canon lift (core func $i "attack"))))
