;; Grows eight memories, each of which is within the limit. All of them together are not.
;;! limits: memory=16MiB
;;! memory: 16 MiB
(component
  (core module $code
    (memory $m0 1)
    (memory $m1 1)
    (memory $m2 1)
    (memory $m3 1)
    (memory $m4 1)
    (memory $m5 1)
    (memory $m6 1)
    (memory $m7 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (if (i32.lt_s (memory.grow $m0 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m1 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m2 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m3 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m4 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m5 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m6 (i32.const 48)) (i32.const 0)) (then unreachable))
          (if (i32.lt_s (memory.grow $m7 (i32.const 48)) (i32.const 0)) (then unreachable))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
