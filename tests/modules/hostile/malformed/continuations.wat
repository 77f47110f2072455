;; Has a type of continuations.
;;! refused: stack switching is disabled
(component
  (core module $code
    (type $f (func))
    (type $c (cont $f))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          nop))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
