;; A WASI command that prints its name and its arguments, one a line: `args.wasm` of the examples in the documentation.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local $at i32)
    (drop (call $sizes (i32.const 0) (i32.const 12)))
    (drop (call $args (i32.const 1024) (i32.const 8192)))
    ;; Texts end in a zero; here in a line's end.
    (loop $next
      (if (i32.eqz (i32.load8_u offset=8192 (local.get $at)))
        (then (i32.store8 offset=8192 (local.get $at) (i32.const 10))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.load (i32.const 12)))))
    (i32.store (i32.const 8) (i32.const 8192))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))
