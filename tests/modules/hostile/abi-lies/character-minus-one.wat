;; Returns -1 as a character.
;;! good: 7 => "o"
;;! trap:
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const -1))
        (else
          (i32.const 0x6f)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result char)
    (canon lift (core func $i "attack"))))
