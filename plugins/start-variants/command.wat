;; A WASI command: `_start` alone. Logs what ran, and every request.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "_start ran")
  (data (i32.const 32) "request headers")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024)
  (func (export "_start")
    (drop (call $log (i32.const 2) (i32.const 16) (i32.const 10))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 2) (i32.const 32) (i32.const 15)))
    i32.const 0))
