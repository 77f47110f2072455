;; Grows a table until it gets no more; then it aborts.
;;! memory: 100000 table elements
(component
  (core module $code
    (table $t 1 funcref)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again
            (if (i32.lt_s (table.grow $t (ref.null func) (i32.const 1000)) (i32.const 0)) (then unreachable))
            (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
