;; Is a core module with component metadata that is none.
;;! refused: component metadata does not fit
(module
  (@custom "component-type" "\00\01\02\03")
  (func (export "attack") (param i64) (result i64) (local.get 0)))
