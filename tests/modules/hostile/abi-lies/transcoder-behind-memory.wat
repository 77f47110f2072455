;; Its allocator lies when text turns out to be longer than was thought, in the middle of converting it.
;;! item: "abcdefghijklmnopqrstuvwxyz\u20ac"
;;! good: "ok" => true
;;! trap: realloc return
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param $old i32) (param $before i32) (param $align i32) (param $size i32) (result i32)
      (if (result i32) (i32.gt_u (local.get $size) (i32.const 16))
        (then (i32.const -16))
        (else (i32.const 1024))))
    (func (export "attack") (param i32 i32) (result i32) (i32.const 1)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" string) (result bool)
    (canon lift (core func $i "attack") string-encoding=latin1+utf16 (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
