;; Imports a hostcall that no host has, and never calls it.
(module
  (import "env" "proxy_no_such_call" (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 0))
