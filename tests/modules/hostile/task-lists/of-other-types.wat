;; Exports the interface of tasks with functions of other types.
;;! refused:
(component
  (core module $code
    (func (export "list-tasks") (param i64) (result i64) (local.get 0))
    (func (export "run") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func $list-tasks (param "x" s64) (result s64) (canon lift (core func $i "list-tasks")))
  (func $run (param "x" s64) (result s64) (canon lift (core func $i "run")))
  (instance $map (export "list-tasks" (func $list-tasks)) (export "run" (func $run)))
  (export "wasmpool:task/map@0.1.0" (instance $map)))
