;; Has so many parameters that they are passed in its memory, and an allocator that says, when a text is long, that the
;; text lies there too, in the same place. Its own parameters are what it loses.
;;! item: ["a text that is long",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]
;;! good: ["ok",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19] => 7
;;! trap: realloc return
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
      ;; The parameters are aligned to eight, texts to one.
      (if (result i32) (i32.and (i32.eq (local.get $align) (i32.const 1)) (i32.gt_u (local.get $size) (i32.const 16)))
        (then (i32.const -8))
        (else (i32.const 1024))))
    (func (export "attack") (param i32) (result i64) (i64.const 7)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "p0" string) (param "p1" u64) (param "p2" u64) (param "p3" u64) (param "p4" u64) (param "p5" u64) (param "p6" u64) (param "p7" u64) (param "p8" u64) (param "p9" u64) (param "p10" u64) (param "p11" u64) (param "p12" u64) (param "p13" u64) (param "p14" u64) (param "p15" u64) (param "p16" u64) (param "p17" u64) (param "p18" u64) (param "p19" u64) (result s64)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
