;; Grows its memory until it gets no more, and goes on. It has what it may have.
;;! limits: memory=16MiB
;;! done: 256
(component
  (core module $code
    (memory $m 1)
    (func (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (loop $again
            (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
          (local.set $x (i64.extend_i32_u (memory.size)))))
      (local.get $x)))
  (core instance $i (instantiate $code))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
