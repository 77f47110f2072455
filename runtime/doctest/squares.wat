;; One function, and nothing imported: `squares.wasm` of the examples in the documentation.
(component
  (core module $math
    (func (export "square") (param $x i64) (result i64)
      (i64.mul (local.get $x) (local.get $x))))
  (core instance $math (instantiate $math))
  (func (export "square") (param "x" s64) (result s64)
    (canon lift (core func $math "square"))))
