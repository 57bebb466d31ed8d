//! Rules of the nested call into the guest's allocator.

use sandgate_abi::Status;
use sandgate_vm::FaultKind;

use crate::support::{ALL, DONE, IMPORT_LOG, compile, for_each_engine, instantiate, limits};

const IMPORTS: &str = r#"
    (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $set_tick (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))"#;

/// Asks for a property and reports pointer, length and, if there is one, the value.
fn guest(allocator: &str) -> String {
    format!(
        r#"(module {IMPORTS} {IMPORT_LOG}
            (memory (export "memory") 1)
            (data (i32.const 64) "in allocator")
            (data (i32.const 80) "\40\00\00\00\0c\00\00\00")
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) {allocator})
            (func (export "proxy_on_done") (param i32) (result i32) (local $status i32)
                (local.set $status (call $get (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 20)))
                (drop (call $log (i32.const 1) (i32.const 16) (i32.const 8)))
                (drop (call $log (i32.const 1) (i32.load (i32.const 16)) (i32.load (i32.const 20))))
                (local.get $status)))"#
    )
}

#[test]
fn the_value_lies_where_the_allocator_says() {
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate(engine, &guest("(i32.const 1024)"));
        *host.value.borrow_mut() = vec![b"", b"shared"];
        assert_eq!(vm.call(DONE), Ok(Some(0)));
        assert_eq!(host.take_reports(), [b"\x00\x04\0\0\x06\0\0\0".to_vec(), b"shared".to_vec()]);
    });
}

#[test]
fn results_of_the_allocator_outside_memory_are_refused() {
    for pointer in ["0", "65535", "65536", "-1", "-4"] {
        for_each_engine(|engine| {
            let (mut vm, host) = instantiate(engine, &guest(&format!("(i32.const {pointer})")));
            *host.value.borrow_mut() = vec![b"value"];
            assert_eq!(vm.call(DONE), Ok(Some(Status::InvalidMemoryAccess.code())), "{pointer}");
            assert_eq!(host.take_reports()[0], [0; 8], "nothing is written");
        });
    }
}

#[test]
fn the_allocator_may_grow_the_memory() {
    for_each_engine(|engine| {
        let grow = "(i32.mul (memory.grow (i32.const 40)) (i32.const 65536))";
        let (mut vm, host) = instantiate(engine, &guest(grow));
        *host.value.borrow_mut() = vec![b"value"];
        assert_eq!(vm.call(DONE), Ok(Some(0)));
        assert_eq!(host.take_reports()[1], b"value");
        assert_eq!(vm.memory_size(), 41 << 16);
    });
}

#[test]
fn the_allocator_may_log_and_use_wasi() {
    for_each_engine(|engine| {
        let allocator = r#"
            (if (call $log (i32.const 2) (i32.const 64) (i32.const 12)) (then unreachable))
            (if (call $clock (i32.const 1) (i64.const 0) (i32.const 128)) (then unreachable))
            (if (call $fd_write (i32.const 1) (i32.const 80) (i32.const 1) (i32.const 128)) (then unreachable))
            (i32.const 1024)"#;
        let (mut vm, host) = instantiate(engine, &guest(allocator));
        *host.value.borrow_mut() = vec![b"value"];
        assert_eq!(vm.call(DONE), Ok(Some(0)));
        let calls = host.take_calls();
        assert_eq!(calls, ["get_property()", "log(Info, in allocator)", "write_stdio(Out, in allocator)"]);
        assert_eq!(host.take_reports()[1], b"value");
    });
}

#[test]
fn other_hostcalls_are_refused_in_the_allocator_only() {
    for_each_engine(|engine| {
        // The allocator's answer is where the status can be seen: status 10 gives 1024 + 10.
        let allocator = "(i32.add (i32.const 1024) (call $set_tick (i32.const 5)))";
        let (mut vm, host) = instantiate(engine, &guest(allocator));
        *host.value.borrow_mut() = vec![b"value"];
        for _ in 0..2 {
            assert_eq!(vm.call(DONE), Ok(Some(0)));
            assert_eq!(host.take_calls(), ["get_property()"]);
            assert_eq!(host.take_reports()[0], b"\x0a\x04\0\0\x05\0\0\0");
        }
    });
}

#[test]
fn the_allocator_is_not_called_from_itself() {
    for_each_engine(|engine| {
        // A hostcall with a value, in the allocator: recursion without end if it were allowed.
        let allocator = "(drop (call $get (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 20))) (i32.const 1024)";
        let (mut vm, host) = instantiate(engine, &guest(allocator));
        *host.value.borrow_mut() = vec![b"value"];
        assert_eq!(vm.call(DONE), Ok(Some(0)));
        assert_eq!(host.take_calls(), ["get_property()"]);
    });
}

#[test]
fn a_trap_in_the_allocator_ends_the_callback_and_is_named() {
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate(engine, &guest("unreachable"));
        *host.value.borrow_mut() = vec![b"value"];
        let fault = vm.call(DONE).unwrap_err();
        assert_eq!(fault.function, "proxy_on_memory_allocate");
        assert_eq!(fault.callback, Some(DONE.kind()));
        assert!(fault.to_string().starts_with("Function: proxy_on_memory_allocate failed: "), "{fault}");
        assert_eq!(vm.call(DONE).unwrap_err().kind, FaultKind::Dead);
    });
}

#[test]
fn malloc_serves_if_there_is_nothing_better() {
    let both = |preferred: &str| {
        guest("(i32.const 1024)").replace(
            "(func (export \"proxy_on_done\")",
            &format!(
                "(func (export \"malloc\") (param i32) (result i32) {preferred}) (func (export \"proxy_on_done\")"
            ),
        )
    };
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate(engine, &both("unreachable"));
        *host.value.borrow_mut() = vec![b"value"];
        assert_eq!(vm.call(DONE), Ok(Some(0)), "proxy_on_memory_allocate is preferred");

        let only_malloc = guest("(i32.const 1024)").replace("proxy_on_memory_allocate", "malloc");
        let module = compile(engine, &only_malloc).unwrap();
        *host.value.borrow_mut() = vec![b"value"];
        let mut vm = module.instantiate(host, &limits(), &ALL).unwrap();
        assert_eq!(vm.call(DONE), Ok(Some(0)));
    });
}
