;; Asks whether it is cancelled, without an end: a way to wait that no deadline must mind.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (import "wasmpool:task/context@0.1.0" (instance $context
    (export "cancelled" (func (result bool)))
    (export "attempt" (func (result u32)))))
  (core func $cancelled (canon lower (func $context "cancelled")))
  (core module $code
    (import "host" "cancelled" (func $cancelled (result i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again (br_if $again (i32.eqz (call $cancelled))))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "cancelled" (func $cancelled))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
