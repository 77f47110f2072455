;; Returns a result that is neither ok nor an error.
;;! good: 7 => "ok"
;;! trap: discriminant
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.store8 (i32.const 16) (i32.const 3))
          (i32.const 16))
        (else
          (i32.store8 (i32.const 16) (i32.const 0))
          (i32.store (i32.const 20) (i32.const 8))
          (i32.store (i32.const 24) (i32.const 2))
          (i32.const 16)))))
  (core instance $i (instantiate $code))
  (type $r (result string (error string)))
  (func (export "attack") (param "x" s64) (result $r)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
