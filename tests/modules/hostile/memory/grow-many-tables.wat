;; Grows eight tables, each of which is within the limit. All of them together are not.
;;! memory: 100000 table elements
(component
  (core module $code
    (table $t0 1 funcref)
    (table $t1 1 funcref)
    (table $t2 1 funcref)
    (table $t3 1 funcref)
    (table $t4 1 funcref)
    (table $t5 1 funcref)
    (table $t6 1 funcref)
    (table $t7 1 funcref)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (if (i32.lt_s (table.grow $t0 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t1 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t2 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t3 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t4 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t5 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t6 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (table.grow $t7 (ref.null func) (i32.const 20000)) (i32.const 0)) (then unreachable))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
