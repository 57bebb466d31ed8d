;; Traps under functions whose names compilers have mangled. With a request header x-deep, under more frames than are shown.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-deep")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $_ZN4core9panicking5panic17h0123456789abcdefE unreachable)
  (func $_ZN7Context16onRequestHeadersEjb call $_ZN4core9panicking5panic17h0123456789abcdefE)
  ;; Rust's newer mangling.
  (func $_RNvCs15kBYyAo9fc_7mycrate7example call $_ZN7Context16onRequestHeadersEjb)
  (func $deep (param $left i32)
    (if (local.get $left)
      (then (call $deep (i32.sub (local.get $left) (i32.const 1))))
      (else unreachable)))
  (func (export "proxy_on_tick") (param i32) call $_RNvCs15kBYyAo9fc_7mycrate7example)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (i32.eqz (call $get (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 8) (i32.const 12)))
      (then (call $deep (i32.const 30))))
    call $_ZN7Context16onRequestHeadersEjb
    i32.const 0))
