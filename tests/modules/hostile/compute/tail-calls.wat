;; Calls itself in tail position, which takes no stack, without an end.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (func $on (param i64) (result i64) (return_call $on (i64.add (local.get 0) (i64.const 1))))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call $on (local.get $x)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
