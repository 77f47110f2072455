;; Traps before anything can be called.
(component
  (core module $code
    (func $refuses-to-start unreachable)
    (start $refuses-to-start)
    (func (export "identity") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func (export "identity") (param "x" s64) (result s64)
    (canon lift (core func $i "identity"))))
