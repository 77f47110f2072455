;; Calls a typed reference to a function.
;;! refused: function references support is not enabled
(component
  (core module $code
    (type $f (func (param i64) (result i64)))
    (elem declare func $attack)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (call_ref $f (local.get $x) (ref.func $attack)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
