;; Declares ABI 0.1.0, but its headers callback has the three parameters of the later ones.
(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-abi")
  (data (i32.const 32) "0.1.0-three")
  (func (export "proxy_abi_version_0_1_0"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024)
  ;; Adds `x-abi: 0.1.0-three` to the response.
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 11)))
    i32.const 0))
