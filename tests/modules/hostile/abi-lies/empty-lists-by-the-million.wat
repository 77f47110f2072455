;; Returns ten million empty lists.
;;! good: 7 => []
;;! trap|output-limit|memory:
(component
  (core module $code
    (memory (export "memory") 1300)
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.store (i32.const 48) (i32.const 64))
          (i32.store (i32.const 52) (i32.const 10000000))
          (i32.const 48))
        (else
          (i32.store (i32.const 48) (i32.const 0))
          (i32.store (i32.const 52) (i32.const 0))
          (i32.const 48)))))
  (core instance $i (instantiate $code))
  (type $inner (list u8))
  (type $list (list $inner))
  (func (export "attack") (param "x" s64) (result $list)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
