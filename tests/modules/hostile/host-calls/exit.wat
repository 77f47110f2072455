;; Ends the process, as it thinks, with success: it is no result.
;;! trap: exit
(component
  (import "wasi:cli/exit@0.2.0" (instance $cli
    (export "exit" (func (param "status" (result))))))
  (core func $exit (canon lower (func $cli "exit")))
  (core module $code
    (import "host" "exit" (func $exit (param i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $exit (i32.const 0))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "exit" (func $exit))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
