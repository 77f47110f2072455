;; Imports what nobody offers.
;;! refused: the module imports evil:host/shell@1.0.0, which is not offered
(component
  (import "evil:host/shell@1.0.0" (instance $shell (export "run" (func (param "command" string)))))
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
