;; Imports the same hostcalls twice, as Go's linker does, and uses both: four log lines a request.
(module
  (import "env" "proxy_log" (func $first (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write_first (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $second (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write_second (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "first second")
  ;; An iovec over the whole text.
  (data (i32.const 64) "\10\00\00\00\0c\00\00\00")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $first (i32.const 2) (i32.const 16) (i32.const 5)))
    (drop (call $second (i32.const 2) (i32.const 22) (i32.const 6)))
    (drop (call $write_first (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 128)))
    (drop (call $write_second (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 128)))
    i32.const 0))
