;; Drops a data segment, without which the next item would trap.
;;! fresh: 7
(component
  (core module $code
    (memory 1)
    (data $d "\07")
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))
      (local.set $found (i64.load (i32.const 0)))
      (data.drop $d)
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
