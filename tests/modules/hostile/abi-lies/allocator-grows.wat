;; Its allocator grows memory at each call, under the feet of whoever holds a pointer into it. Nothing is to be gained.
;;! item: ["a text that is long","another one","and one more"]
;;! good: ["ok"] => 1
;;! done: 3
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (func (export "attack") (param i32 i32) (result i32) (local.get 1)))
  (core instance $i (instantiate $code))
  (type $list (list string))
  (func (export "attack") (param "x" $list) (result u32)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
