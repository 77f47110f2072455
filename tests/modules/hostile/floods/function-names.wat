;; Has functions and a module whose names, which backtraces show, are terminal escapes and forged lines.
;;! trap: unreachable
;;! stderr: \u{1b}[2J
(component
  (core module $code (@name "\1b[2J\nerror: forged\n\e2\80\ae")
    (func $f (@name "\1b]0;owned\07\nerror: forged\nhint: forged\c2\9b") (param i64) (result i64) unreachable)
    (func (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then (drop (call $f (local.get $x)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
