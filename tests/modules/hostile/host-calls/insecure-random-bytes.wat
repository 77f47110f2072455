;; Asks for four GiB of insecure random bytes, which the host would have to hold.
;;! trap|memory:
(component
  (import "wasi:random/insecure@0.2.0" (instance $random
    (export "get-insecure-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $store (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x8000)))
  (core instance $s (instantiate $store))
  (core func $random
    (canon lower (func $random "get-insecure-random-bytes") (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "random" (func $random (param i64 i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $random (i64.const 0xffffffff) (i32.const 64))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "memory" (memory $s "memory")) (export "random" (func $random))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
