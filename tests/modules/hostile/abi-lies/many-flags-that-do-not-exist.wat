;; The same for flags that take more than one byte.
;;! good: 7 => ["f8"]
;;! done: ["f0","f1","f2","f3","f4","f5","f6","f7","f8"]
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const -1))
        (else
          (i32.const 256)))))
  (core instance $i (instantiate $code))
  (type $f' (flags "f0" "f1" "f2" "f3" "f4" "f5" "f6" "f7" "f8"))
  (export $f "f" (type $f'))
  (func (export "attack") (param "x" s64) (result $f)
    (canon lift (core func $i "attack"))))
