;; Takes another way of a branch table at each step, without an end.
;;! limits: timeout=300ms
;;! timeout: 300ms
(component
  (core module $code
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again
            (block $a (block $b (block $c (block $d
              (br_table $a $b $c $d $again (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 7))))
              (local.set $x (i64.add (local.get $x) (i64.const 3))) (br $again))
              (local.set $x (i64.add (local.get $x) (i64.const 5))) (br $again))
              (local.set $x (i64.add (local.get $x) (i64.const 7))) (br $again))
            (local.set $x (i64.add (local.get $x) (i64.const 1)))
            (br $again))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
