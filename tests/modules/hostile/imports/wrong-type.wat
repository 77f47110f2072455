;; Imports a function of the host under another type: a number where the host reads a pointer and a length.
;;! refused: cannot be linked
(component
  (import "wasmpool:task/log@0.1.0" (instance $log (export "panic" (func (param "message" u64)))))
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
