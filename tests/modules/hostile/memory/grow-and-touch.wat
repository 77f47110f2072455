;; Grows its memory and writes to each page, until it gets no more; then it aborts.
;;! limits: memory=16MiB
;;! memory: 16 MiB
(component
  (core module $code
    (memory $m 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again
            (if (i32.lt_s (memory.grow (i32.const 1)) (i32.const 0)) (then unreachable))
            (i64.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4096)) (i64.const -1))
            (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
