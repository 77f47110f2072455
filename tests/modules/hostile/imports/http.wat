;; Imports what speaks HTTP.
;;! refused: wasi:http is not offered
(component
  (import "wasi:http/types@0.2.0" (instance $http (export "fields" (type (sub resource)))
    (export "f" (func (result u32)))))
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
