;; Returns flags that its type does not have: they count for nothing.
;;! good: 7 => ["b"]
;;! done: ["a","b","c"]
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.const -1))
        (else
          (i32.const 2)))))
  (core instance $i (instantiate $code))
  (type $f' (flags "a" "b" "c"))
  (export $f "f" (type $f'))
  (func (export "attack") (param "x" s64) (result $f)
    (canon lift (core func $i "attack"))))
