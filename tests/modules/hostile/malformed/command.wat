;; Is a program to be run.
;;! refused: WASI command
(module
  (func (export "_start")))
