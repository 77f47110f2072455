;; Exports a function that takes a handle, for which nobody outside can have one: it cannot be called, and says so.
;;! refused: cannot be called
(component
  (type $thing' (resource (rep i32)))
  (export $thing "thing" (type $thing'))
  (core module $code (func (export "attack") (param i32) (result i64) (i64.const 7)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" (own $thing)) (result s64)
    (canon lift (core func $i "attack"))))
