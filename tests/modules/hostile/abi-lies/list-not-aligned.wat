;; Returns a list of 64-bit numbers that starts at an address no such number has.
;;! good: 7 => [1,-1]
;;! trap: not aligned
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 8) "\01\00\00\00\00\00\00\00\ff\ff\ff\ff\ff\ff\ff\ff")
    (func (export "attack") (param $x i64) (result i32)
      (if (result i32) (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.store (i32.const 16) (i32.const 12))
          (i32.store (i32.const 20) (i32.const 1))
          (i32.const 16))
        (else
          (i32.store (i32.const 48) (i32.const 8))
          (i32.store (i32.const 52) (i32.const 2))
          (i32.const 48)))))
  (core instance $i (instantiate $code))
  (type $list (list s64))
  (func (export "attack") (param "x" s64) (result $list)
    (canon lift (core func $i "attack") (memory (core memory $i "memory")))))
