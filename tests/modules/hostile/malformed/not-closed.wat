;; Is text that ends in the middle.
;;! refused: WebAssembly text, line
(component
  (core module $code
