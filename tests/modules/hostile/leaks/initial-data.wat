;; Overwrites data that the module has at its start.
;;! fresh: 7
(component
  (core module $code
    (memory 1)
    (data (i32.const 4096) "\07")
    (func $attack (export "attack") (param $x i64) (result i64)
      (local $found i64)
      (local.set $found (i64.load (i32.const 4096)))
      (i64.store (i32.const 4096) (i64.add (local.get $x) (i64.const 100)))
      (local.get $found)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
