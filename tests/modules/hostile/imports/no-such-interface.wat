;; Imports an interface that the package of the host does not have.
;;! refused: wasmpool:task only
(component
  (import "wasmpool:task/devices@0.1.0" (instance $devices (export "page-size" (func (result u32)))))
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
