;; Declares eight memories of 64 MiB: each is within the limit, all together are not.
;;! refused: memory limit of 256 MiB
(component
  (core module $code
    (memory $m0 1024)
    (memory $m1 1024)
    (memory $m2 1024)
    (memory $m3 1024)
    (memory $m4 1024)
    (memory $m5 1024)
    (memory $m6 1024)
    (memory $m7 1024)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
