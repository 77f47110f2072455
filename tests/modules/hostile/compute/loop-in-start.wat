;; Loops in its start function, before anything can be called. The time to get ready ends it.
;;! limits: start-timeout=500ms
;;! refused: cannot be started
(component
  (core module $code
    (func $never-starts (loop $again (br $again)))
    (start $never-starts)
    (func (export "attack") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
