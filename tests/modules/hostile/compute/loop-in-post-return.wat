;; Loops when the host has taken the result and says so.
;;! good: 7 => "ok"
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "ok")
    (global $attacks (mut i32) (i32.const 0))
    (func (export "attack") (param $x i64) (result i32)
      (global.set $attacks (i64.lt_s (local.get $x) (i64.const 0)))
      (i32.store (i32.const 16) (i32.const 8))
      (i32.store (i32.const 20) (i32.const 2))
      (i32.const 16))
    (func (export "post-return") (param i32)
      (loop $again (br_if $again (global.get $attacks)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result string)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")) (post-return (core func $i "post-return")))))
