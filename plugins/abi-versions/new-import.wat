;; Declares ABI 0.2.0 and imports a hostcall that came with 0.2.1.
(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_log_level" (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-abi")
  (data (i32.const 32) "new-import")
  (func (export "proxy_abi_version_0_2_0"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024)
  ;; Adds `x-abi: new-import` to the response.
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 10)))
    i32.const 0))
