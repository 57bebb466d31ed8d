//! Guests that do not return.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sandgate_abi::Callback;
use sandgate_vm::FaultKind;

use crate::recorder::Recorder;
use crate::support::{ALL, DONE, TICK, for_each_engine, has_backtraces, instantiate, limits, module, on_tick};

/// What each engine says of it.
fn trap(body: &str) -> Vec<String> {
    let found = std::cell::RefCell::default();
    for_each_engine(|engine| {
        let done = r#"(func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))"#;
        let (mut vm, _) = instantiate(engine, &module("", &format!("{} {done}", on_tick(body))));
        assert_eq!(vm.call(DONE), Ok(Some(1)));
        let fault = vm.call(TICK).unwrap_err();
        assert_eq!((fault.function, fault.callback), ("proxy_on_tick", Some(TICK.kind())));
        let text = fault.to_string();
        assert!(text.starts_with("Function: proxy_on_tick failed: "), "{text}");
        assert_eq!(vm.call(DONE).unwrap_err().kind, FaultKind::Dead, "the VM is not entered again");
        assert_eq!(fault.backtrace.is_empty(), !has_backtraces(engine));
        let found: &std::cell::RefCell<Vec<_>> = &found;
        found.borrow_mut().push(text);
    });
    found.into_inner()
}

#[test]
fn traps_say_what_happened() {
    // The words of Wasmtime and WAMR, then those of V8, which Envoy logs.
    for (body, reasons) in [
        ("unreachable", ["unreachable", "Uncaught RuntimeError: unreachable"]),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", ["divide by zero", "Uncaught RuntimeError: divide by zero"]),
        ("(drop (i32.load (i32.const 65536)))", OUT_OF_BOUNDS),
        ("(drop (i32.load offset=4294967295 (i32.const -1)))", OUT_OF_BOUNDS),
        (
            "(drop (i32.trunc_f32_u (f32.const -1)))",
            ["integer overflow", "Uncaught RuntimeError: float unrepresentable in integer range"],
        ),
    ] {
        for text in trap(body) {
            assert!(reasons.iter().any(|reason| text.contains(reason)), "{text}");
        }
    }
}

const OUT_OF_BOUNDS: [&str; 2] = ["out of bounds memory access", "Uncaught RuntimeError: memory access out of bounds"];

#[test]
fn endless_recursion_is_a_trap() {
    for_each_engine(|engine| {
        let deep = "(func $deep (param i32) (call $deep (i32.add (local.get 0) (i32.const 1))))";
        let text = module("", &format!("{deep} {}", on_tick("(call $deep (i32.const 0))")));
        let (mut vm, _) = instantiate(engine, &text);
        let fault = vm.call(TICK).unwrap_err();
        assert!(fault.to_string().contains("stack"), "{fault}");
        if has_backtraces(engine) {
            assert_eq!(fault.backtrace.len(), 20, "no more than 20 frames are named");
            assert_eq!(fault.backtrace[0].name, "deep");
        }
    });
}

#[test]
fn recursion_through_the_host_is_bounded_too() {
    // Deep guest frames under a hostcall: the host still has stack to run on.
    for_each_engine(|engine| {
        let imports = r#"(import "env" "proxy_set_property" (func $set (param i32 i32 i32 i32) (result i32)))"#;
        let items = format!(
            r#"(func $deep (param i32)
                (drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4)))
                (call $deep (i32.add (local.get 0) (i32.const 1))))
            {}"#,
            on_tick("(call $deep (i32.const 0))")
        );
        let (mut vm, host) = instantiate(engine, &module(imports, &items));
        let fault = vm.call(TICK).unwrap_err();
        assert!(fault.to_string().contains("stack"), "{fault}");
        assert!(host.take_calls().len() > 100);
    });
}

/// What Envoy 1.40 logs of this guest, but for the name in Rust's newer mangling, which it does not read.
#[test]
fn backtraces_are_as_in_envoy() {
    for_each_engine(|engine| {
        if !has_backtraces(engine) {
            return;
        }
        let code =
            std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/backtrace/backtrace.wasm")).unwrap();
        let mut vm = engine.compile(&code).unwrap().instantiate(Recorder::default(), &limits(), &ALL).unwrap();
        let fault = vm.call(Callback::Tick { root: 1 }).unwrap_err();
        let frames: Vec<_> = fault.backtrace.iter().map(ToString::to_string).collect();
        // Wasmtime's compiler has this trap belong to the function as a whole.
        let innermost = ["0xd4", "0xd5"].map(|offset| format!("{offset} - core::panicking::panic::h0123456789abcdef"));
        assert!(innermost.contains(&frames[0]), "{frames:?}");
        assert_eq!(
            frames[1..],
            [
                "0xd9 - Context::onRequestHeaders(unsigned int, bool)",
                "0xde - mycrate::example",
                "0xf4 - unknown(function index:7)"
            ]
        );
    });
}

#[test]
fn abort_says_why() {
    // AssemblyScript strings: UTF-16, the length in bytes in the word before.
    let data = r#"(data (i32.const 12) "\04\00\00\00n\00o\00") (data (i32.const 28) "\08\00\00\00a\00.\00t\00s\00")"#;
    let imports = r#"(import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#;
    let body = on_tick("(call $abort (i32.const 16) (i32.const 32) (i32.const 7) (i32.const 9))");
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate(engine, &module(imports, &format!("{data} {body}")));
        let fault = vm.call(TICK).unwrap_err();
        assert_eq!(fault.to_string(), "Function: proxy_on_tick failed: abort: no at a.ts:7:9");
        assert_eq!(host.take_calls(), ["log(Error, abort: no at a.ts:7:9)"]);

        // Pointers that are none end the call all the same.
        let bad = on_tick("(call $abort (i32.const 0) (i32.const -1) (i32.const 7) (i32.const 9))");
        let (mut vm, _) = instantiate(engine, &module(imports, &bad));
        assert_eq!(vm.call(TICK).unwrap_err().to_string(), "Function: proxy_on_tick failed: abort:  at :7:9");
    });
}

#[test]
fn a_panic_of_the_host_leaves_the_vm_dead() {
    let imports = r#"(import "env" "proxy_done" (func $done (result i32)))"#;
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate(engine, &module(imports, &on_tick("(drop (call $done))")));
        // The recorder panics if what it writes to is borrowed.
        let borrowed = host.calls.borrow_mut();
        assert!(catch_unwind(AssertUnwindSafe(|| vm.call(TICK))).is_err());
        drop(borrowed);
        assert_eq!(vm.call(TICK).unwrap_err().kind, FaultKind::Dead);
        assert!(host.take_calls().is_empty());
    });
}
