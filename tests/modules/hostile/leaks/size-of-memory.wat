;; Leaves memory larger than it was.
;;! fresh: 1
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.extend_i32_u (memory.size)))
      (drop (memory.grow (i32.const 1)))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
