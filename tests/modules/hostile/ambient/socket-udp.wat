;; Makes a UDP socket. None is given.
;;! done: 1
(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type $network (sub resource)))
    (type $error-code' (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
      "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable"
      "address-in-use" "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
      "datagram-too-large" "name-unresolvable" "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type $error-code (eq $error-code')))
    (type $family' (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type $family (eq $family')))))
  (alias export $network "network" (type $network))
  (alias export $network "error-code" (type $error-code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/udp@0.2.0" (instance $udp (export "udp-socket" (type (sub resource)))))
  (alias export $udp "udp-socket" (type $socket))
  (import "wasi:sockets/udp-create-socket@0.2.0" (instance $create
    (alias outer 1 $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (alias outer 1 $family (type $family'))
    (export "ip-address-family" (type $family (eq $family')))
    (alias outer 1 $socket (type $socket'))
    (export "udp-socket" (type $socket (eq $socket')))
    (export "create-udp-socket" (func (param "address-family" $family) (result (result (own $socket) (error $error-code)))))))
  (core module $store (memory (export "memory") 1))
  (core instance $s (instantiate $store))
  (core func $create (canon lower (func $create "create-udp-socket") (memory (core memory $s "memory"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "create" (func $create (param i32 i32)))
    (func $attack (export "attack") (param $x i64) (result i64)
      (if (i64.lt_s (local.get $x) (i64.const 0))
        (then
          (call $create (i32.const 1) (i32.const 64))
          ;; 1 is an error.
          (local.set $x (i64.load8_u (i32.const 64)))))
      (local.get $x)))
  (core instance $i (instantiate $code
    (with "host" (instance (export "memory" (memory $s "memory")) (export "create" (func $create))))))
  (func (export "attack") (param "x" s64) (result s64)
    (canon lift (core func $i "attack"))))
