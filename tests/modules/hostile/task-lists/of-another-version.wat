;; Exports the interface of tasks in a version that does not exist.
;;! function: run
;;! refused: are not run by this version
(component
  (core module $code (func (export "run") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func $run (param "x" s64) (result s64) (canon lift (core func $i "run")))
  (instance $map (export "run" (func $run)))
  (export "wasmpool:task/map@7.0.0" (instance $map)))
