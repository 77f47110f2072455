;; Calls itself without an end. The stack of guests ends it.
;;! trap: call stack exhausted
(component
  (core module $code
    (func $down (param i64) (result i64) (i64.add (call $down (local.get 0)) (i64.const 1)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $down (local.get $x)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
