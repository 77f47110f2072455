;; Wants more than the maximum that the module itself declares: its own fault, not that of a limit.
;;! trap: unreachable
(component
  (core module $code
    (memory $m 1 2)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (if (i32.lt_s (memory.grow (i32.const 2)) (i32.const 0)) (then unreachable))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
