;; Functions that behave in one way each. Negative numbers are the ones that misbehave.
(component
  (core module $code
    (memory (export "memory") 1)

    ;; Calls reuse the same place: no function here has more than one value in memory.
    (func $make-room (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $missing i32)
      (local.set $missing
        (i32.sub
          (i32.shr_u (i32.add (local.get $size) (i32.const 66559)) (i32.const 16))
          (memory.size)))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then
          (if (i32.lt_s (memory.grow (local.get $missing)) (i32.const 0))
            (then unreachable))))
      (i32.const 1024))

    ;; Writes where a list lies to the area of results, and returns the area.
    (func $list (param $at i32) (param $length i32) (result i32)
      (i32.store (i32.const 16) (local.get $at))
      (i32.store (i32.const 20) (local.get $length))
      (i32.const 16))

    (func (export "identity") (param $x i64) (result i64)
      (local.get $x))

    (func $the-culprit (param $x i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then unreachable)))
    (func $the-caller (export "trap-if-negative") (param $x i64) (result i64)
      (call $the-culprit (local.get $x))
      (local.get $x))

    (func (export "spin-if-negative") (param $x i64) (result i64)
      (loop $again
        (br_if $again (i64.lt_s (local.get $x) (i64.const 0))))
      (local.get $x))

    (data (i32.const 64) "it is negative")
    (func (export "fail-if-negative") (param $x i64) (result i32)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (i32.store8 (i32.const 16) (i32.const 1))
          (i32.store (i32.const 24) (i32.const 64))
          (i32.store (i32.const 28) (i32.const 14)))
        (else
          (i32.store8 (i32.const 16) (i32.const 0))
          (i64.store (i32.const 24) (local.get $x))))
      (i32.const 16))

    ;; Has at least so many MiB of memory from then on.
    (func (export "hold") (param $mib i32) (result i32)
      (drop (call $make-room (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.shl (local.get $mib) (i32.const 20))))
      (local.get $mib))

    (func (export "repeat") (param $length i32) (result i32)
      (local $at i32)
      (local.set $at (call $make-room (i32.const 0) (i32.const 0) (i32.const 1) (local.get $length)))
      (memory.fill (local.get $at) (i32.const 120) (local.get $length))
      (call $list (local.get $at) (local.get $length)))

    (func (export "echo") (param $at i32) (param $length i32) (result i32)
      (call $list (local.get $at) (local.get $length)))

    (func (export "length") (param $at i32) (param $length i32) (result i32)
      (local.get $length))

    (func (export "divide") (param $x i32) (param $y i32) (result i32)
      (i32.div_s (local.get $x) (local.get $y)))

    ;; So many steps of a generator of numbers, which no compiler can leave out.
    (func (export "work") (param $seed i64) (param $steps i32) (result i64)
      (loop $again
        (local.set $seed
          (i64.add
            (i64.mul (local.get $seed) (i64.const 6364136223846793005))
            (i64.const 1442695040888963407)))
        (local.set $steps (i32.sub (local.get $steps) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get $steps) (i32.const 0))))
      (local.get $seed))

    ;; How many items this instance has counted, this one included.
    (global $counted (mut i64) (i64.const 0))
    (func (export "count") (param i64) (result i64)
      (global.set $counted (i64.add (global.get $counted) (i64.const 1)))
      (global.get $counted)))

  (core instance $i (instantiate $code))

  (func (export "identity") (param "x" s64) (result s64)
    (canon lift (core func $i "identity")))
  (func (export "trap-if-negative") (param "x" s64) (result s64)
    (canon lift (core func $i "trap-if-negative")))
  (func (export "spin-if-negative") (param "x" s64) (result s64)
    (canon lift (core func $i "spin-if-negative")))
  (func (export "fail-if-negative") (param "x" s64) (result (result s64 (error string)))
    (canon lift (core func $i "fail-if-negative") (memory (core memory $i "memory"))))
  (func (export "hold") (param "mib" u32) (result u32)
    (canon lift (core func $i "hold")))
  (func (export "repeat") (param "length" u32) (result string)
    (canon lift (core func $i "repeat") (memory (core memory $i "memory"))))
  (func (export "echo") (param "text" string) (result string)
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "length") (param "text" string) (result u32)
    (canon lift (core func $i "length") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
  (func (export "divide") (param "x" s32) (param "y" s32) (result s32)
    (canon lift (core func $i "divide")))
  (func (export "work") (param "seed" s64) (param "steps" u32) (result s64)
    (canon lift (core func $i "work")))
  (func (export "count") (param "x" s64) (result s64)
    (canon lift (core func $i "count"))))
