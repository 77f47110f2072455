;; Imports a core module and instantiates it: nobody can give it one.
;;! refused: it imports
(component
  (import "code" (core module $code (export "attack" (func (param i64) (result i64)))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
