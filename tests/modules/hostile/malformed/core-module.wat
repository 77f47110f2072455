;; Is a core module that says nothing of components.
;;! refused: without component metadata; it exports attack
(module
  (func (export "attack") (param i64) (result i64) (local.get 0)))
