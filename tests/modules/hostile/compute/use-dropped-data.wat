;; Drops a data segment and initialises memory from it.
;;! trap: out of bounds memory access
(component
  (core module $code
    (memory 1)
    (data $d "secret")
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (data.drop $d)
          (memory.init $d (i32.const 0) (i32.const 0) (i32.const 6))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
