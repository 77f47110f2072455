;; What the benchmark calls: as little as possible, so that what is measured is the pool.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "square") (param $x i64) (result i64)
      (i64.mul (local.get $x) (local.get $x)))
    ;; Traps on 0.
    (func (export "inverse") (param $x i64) (result i64)
      (i64.div_s (i64.const 1000) (local.get $x)))
    ;; Never ends.
    (func (export "spin") (param $x i64) (result i64)
      (loop $again (br $again))
      unreachable)
    ;; The sum of all numbers up to one, by as tight a loop as there is.
    (func (export "sum") (param $to i64) (result i64)
      (local $sum i64)
      (loop $again
        (local.set $sum (i64.add (local.get $sum) (local.get $to)))
        (local.set $to (i64.sub (local.get $to) (i64.const 1)))
        (br_if $again (i64.gt_s (local.get $to) (i64.const 0))))
      (local.get $sum))
    ;; There is never more than one allocation: the one parameter of `echo`.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $missing i32)
      (local.set $missing
        (i32.sub
          (i32.shr_u (i32.add (local.get 3) (i32.const 65599)) (i32.const 16))
          (memory.size)))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then
          (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
            (then unreachable))))
      (i32.const 64))
    (func (export "echo") (param $at i32) (param $len i32) (result i32)
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $len))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "square") (param "x" s64) (result s64)
    (canon lift (core func $i "square")))
  (func (export "inverse") (param "x" s64) (result s64)
    (canon lift (core func $i "inverse")))
  (func (export "spin") (param "x" s64) (result s64)
    (canon lift (core func $i "spin")))
  (func (export "sum") (param "to" s64) (result s64)
    (canon lift (core func $i "sum")))
  (func (export "echo") (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
