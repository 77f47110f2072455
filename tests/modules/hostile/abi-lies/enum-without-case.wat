;; Returns a case of an enum that has only two.
;;! good: 7 => "odd"
;;! trap: discriminant
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const 2))
        (else
          (i32.const 1)))))
  (core instance $i (instantiate $code))
  (type $e' (enum "even" "odd"))
  (export $e "e" (type $e'))
  (func (export "attack") (param "x" s64) (result $e)
    (canon lift (core func $i "attack"))))
