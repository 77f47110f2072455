;; Its allocator gives room for 64-bit numbers at an odd address.
;;! item: [1,2,3,4]
;;! good: [1] => true
;;! trap: not aligned
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param $old i32) (param $before i32) (param $align i32) (param $size i32) (result i32)
      (if (result i32) (i32.gt_u (local.get $size) (i32.const 16))
        (then (i32.const 1025))
        (else (i32.const 1024))))
    (func (export "attack") (param i32 i32) (result i32) (i32.const 1)))
  (core instance $i (instantiate $code))
  (type $list (list s64))
  (func (export "attack") (param "x" $list) (result bool)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
