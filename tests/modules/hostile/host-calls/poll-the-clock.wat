;; Asks for the time without an end.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core module $code
    (import "host" "now" (func $now (result i64)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again (drop (call $now)) (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "now" (func $now))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
