;; Returns a case of a variant that has only two.
;;! good: 7 => "b"
;;! trap: discriminant
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.store8 (i32.const 16) (i32.const 250))
          (i32.const 16))
        (else
          (i32.store8 (i32.const 16) (i32.const 1))
          (i32.const 16)))))
  (core instance $i (instantiate $code))
  (type $v' (variant (case "a" string) (case "b")))
  (export $v "v" (type $v'))
  (func (export "attack") (param "x" s64) (result $v)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
