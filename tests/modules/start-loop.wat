;; Never gets to where anything can be called.
(component
  (core module $code
    (func $never-starts (loop $again (br $again)))
    (start $never-starts)
    (func (export "identity") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func (export "identity") (param "x" s64) (result s64)
    (canon lift (core func $i "identity"))))
