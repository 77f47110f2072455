;; Divides the least number by -1, for which x86 has a signal.
;;! trap: integer overflow
(component
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (i64.div_s (i64.const 0x8000000000000000) (local.get $x)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
