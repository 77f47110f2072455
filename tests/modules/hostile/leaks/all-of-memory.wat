;; Fills sixteen MiB with a secret, and joins all bytes that it finds.
;;! fresh: 0
(component
  (core module $code
    (memory 256)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local $at i32)
      (loop $next
        (local.set $found (i64.or (local.get $found) (i64.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.const 0x1000000))))
      (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 0x1000000))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
