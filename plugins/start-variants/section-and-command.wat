;; A start section and `_start`, which runs after it. Logs every request: `ran` if it was so, else `did not run`.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $ran (mut i32) (i32.const 1))
  (data (i32.const 16) "ran")
  (data (i32.const 32) "did not run")
  (func $section
    (global.set $ran (i32.mul (global.get $ran) (i32.const 2))))
  (start $section)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) i32.const 1024)
  (func (export "_start")
    (global.set $ran (i32.mul (global.get $ran) (i32.const 3))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (i32.eq (global.get $ran) (i32.const 6))
      (then (drop (call $log (i32.const 2) (i32.const 16) (i32.const 3))))
      (else (drop (call $log (i32.const 2) (i32.const 32) (i32.const 11)))))
    i32.const 0))
