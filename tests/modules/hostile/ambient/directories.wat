;; Counts the directories that are open: none is granted.
;;! done: 0
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types (export "descriptor" (type (sub resource)))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $descriptor'))
    (export "descriptor" (type $descriptor (eq $descriptor')))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))
  (core module $store (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0x8000)))
  (core instance $s (instantiate $store))
  (core func $get
    (canon lower (func $preopens "get-directories") (memory (core memory $s "memory")) (realloc (core func $s "realloc"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "get" (func $get (param i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i64.store (i32.const 64) (i64.const -1))
          (call $get (i32.const 64))
          (local.set $x (i64.load32_u offset=4 (i32.const 64)))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "memory" (memory $s "memory")) (export "get" (func $get))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
