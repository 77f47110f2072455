;; Traps below ten thousand calls: what is told of them is bounded.
;;! trap: unreachable
(component
  (core module $code
    (func $down (param i64) (result i64)
      (if (i64.eqz (local.get 0)) (then unreachable))
      (i64.add (call $down (i64.sub (local.get 0) (i64.const 1))) (i64.const 1)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $down (i64.const 10000)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
