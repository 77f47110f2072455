;; Loops in the allocator that the host calls for an argument.
;;! item: "a long text"
;;! good: "short" => 5
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (if (i32.gt_u (local.get $size) (i32.const 8))
        (then (loop $again (br $again))))
      (i32.const 1024))
    (func (export "attack") (param i32) (param $length i32) (result i64)
      (i64.extend_i32_u (local.get $length))))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" string) (result s64)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
