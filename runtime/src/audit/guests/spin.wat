;; Never ends. Run by the host whose death an audit watches.
(component
  (core module $code
    (func (export "spin") (param i64) (result i64)
      (loop $again (br $again))
      (unreachable)))
  (core instance $i (instantiate $code))
  (func (export "spin") (param "x" s64) (result s64) (canon lift (core func $i "spin"))))
