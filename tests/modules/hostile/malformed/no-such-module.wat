;; Instantiates a module that is not there.
;;! refused: unknown module
(component
  (core instance $i (instantiate 7))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
