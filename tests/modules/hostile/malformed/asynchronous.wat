;; Exports an asynchronous function.
;;! refused: async
(component
  (core module $code
    (func (export "attack") (param i64) (result i32) (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $i (instantiate $code))
  (func (export "attack") async (param "x" s64)
    (canon lift (core func $i "attack") async (callback (core func $i "callback")))))
