;; Reads at the largest address with the largest offset, far behind the guard of a small memory.
;;! trap: out of bounds memory access
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (i64.load offset=0xffffffff (i32.const -1)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
