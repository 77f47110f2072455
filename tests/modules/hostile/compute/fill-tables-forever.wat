;; Fills and copies a table, again and again.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (table $t 50000 funcref)
    (elem declare func $attack)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again
            (table.fill $t (i32.const 0) (ref.func $attack) (i32.const 50000))
            (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 49999))
            (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
