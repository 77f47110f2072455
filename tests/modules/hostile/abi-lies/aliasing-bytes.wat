;; Returns a list of a hundred thousand byte lists, all of which are the same mebibyte: 100 GB for whoever copies them.
;;! good: 7 => []
;;! trap|output-limit:
(component
  (core module $code
    (memory (export "memory") 32)
    (func $fill (param $at i32) (param $length i32)
      (local $i i32)
      (loop $next
        (i32.store (i32.add (i32.const 0x10000) (i32.shl (local.get $i) (i32.const 3))) (local.get $at))
        (i32.store (i32.add (i32.const 0x10004) (i32.shl (local.get $i) (i32.const 3))) (local.get $length))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 100000)))))
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $fill (i32.const 0) (i32.const 0x100000))
          (i32.store (i32.const 48) (i32.const 0x10000))
          (i32.store (i32.const 52) (i32.const 100000))
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
