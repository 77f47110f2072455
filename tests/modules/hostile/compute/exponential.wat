;; Computes what takes longer than the machine will last, with a shallow stack.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (func $fib (param $n i64) (result i64)
      (if (result i64) (i64.lt_u (local.get $n) (i64.const 2))
        (then (local.get $n))
        (else (i64.add
          (call $fib (i64.sub (local.get $n) (i64.const 1)))
          (call $fib (i64.sub (local.get $n) (i64.const 2)))))))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $fib (i64.const 200)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
