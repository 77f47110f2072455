;; Leaves a secret in pages that it has grown, and looks for it in those that it grows next.
;;! fresh: 0
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (drop (memory.grow (i32.const 16)))
      (local.set $found (i64.load (i32.const 0x20000)))
      (i64.store (i32.const 0x20000) (local.get $x))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
