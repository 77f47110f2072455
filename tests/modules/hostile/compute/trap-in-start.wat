;; Traps in its start function.
;;! refused: unreachable
(component
  (core module $code
    (func $refuses unreachable)
    (start $refuses)
    (func (export "attack") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
