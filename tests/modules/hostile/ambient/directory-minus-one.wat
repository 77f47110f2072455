;; Makes a directory below descriptor -1, which it was not given.
;;! trap: unknown handle index
(component
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (type $error-code' (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist"
      "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop"
      "too-many-links" "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory"
      "insufficient-space" "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device"
      "overflow" "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "[method]descriptor.create-directory-at" (func
      (param "self" (borrow $descriptor)) (param "path" string) (result (result (error $error-code)))))))
  (core module $store (memory (export "memory") 1))
  (core instance $s (instantiate $store))
  (core func $make
    (canon lower (func $types "[method]descriptor.create-directory-at") (memory (core memory $s "memory"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "make" (func $make (param i32 i32 i32 i32)))
    (data (i32.const 0) "/tmp/x")
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $make (i32.const -1) (i32.const 0) (i32.const 6) (i32.const 64))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "memory" (memory $s "memory")) (export "make" (func $make))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
