;; Loads the operand of a floating-point instruction from the last bytes of memory, where a wider load would lie behind
;; it. Nothing is to be gained.
;;! done: -1
(component
  (core module $code
    (memory 1)
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (drop (f64x2.splat (f64.load (i32.const 65528))))
          (drop (f64.copysign (f64.load (i32.const 65528)) (f64.load (i32.const 65528))))
          (drop (f32x4.splat (f32.load (i32.const 65532))))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
