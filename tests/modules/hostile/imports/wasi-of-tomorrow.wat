;; Imports WASI 0.3.
;;! refused: this version offers WASI 0.2
(component
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock (export "now" (func (result u64)))))
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
