//! Start sections, start functions, and what they may call.

use sandgate_vm::{FaultKind, LoadError};

use crate::support::{ALL, DONE, IMPORT_LOG, TICK, compile, for_each_engine, instantiate, limits, module, on_tick};

/// Functions that report their own names.
fn reporting(exports: &[(&str, &str, &str)]) -> String {
    let mut items = String::new();
    for (index, (name, ty, result)) in exports.iter().enumerate() {
        let at = 64 + 32 * index;
        items += &format!(
            r#"(data (i32.const {at}) "{name}")
            (func (export "{name}") {ty} (drop (call $log (i32.const 1) (i32.const {at}) (i32.const {}))) {result})"#,
            name.len()
        );
    }
    module(IMPORT_LOG, &items)
}

const INITIALIZE: (&str, &str, &str) = ("_initialize", "", "");
const MAIN: (&str, &str, &str) = ("main", "(param i32 i32) (result i32)", "(i32.const 1)");
const MAIN_VOID: (&str, &str, &str) = ("__main_void", "(result i32)", "(i32.const 1)");
const START: (&str, &str, &str) = ("_start", "", "");

#[test]
fn which_functions_run() {
    for (exports, expected) in [
        (vec![], vec![]),
        (vec![START], vec!["_start"]),
        (vec![INITIALIZE], vec!["_initialize"]),
        (vec![START, INITIALIZE], vec!["_initialize"]),
        (vec![MAIN, INITIALIZE, MAIN_VOID], vec!["_initialize", "main"]),
        (vec![MAIN_VOID, INITIALIZE], vec!["_initialize", "__main_void"]),
        (vec![MAIN, MAIN_VOID], vec![]),
        (vec![MAIN, START], vec!["_start"]),
    ] {
        for_each_engine(|engine| {
            let (mut vm, host) = instantiate(engine, &reporting(&exports));
            assert!(host.take_reports().is_empty(), "instantiation runs no start function");
            vm.start().unwrap();
            let reports: Vec<_> = host.take_reports().into_iter().map(|r| String::from_utf8(r).unwrap()).collect();
            assert_eq!(reports, expected);
        });
    }
}

#[test]
fn a_start_section_may_call_anything() {
    // Memory, and even the allocator, before the host has seen the instance.
    let imports =
        format!(r#"{IMPORT_LOG} (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))"#);
    let text = module(
        &imports,
        r#"(data (i32.const 64) "section")
        (func $start
            (drop (call $log (i32.const 1) (i32.const 64) (i32.const 7)))
            (if (call $get (i32.const 64) (i32.const 7) (i32.const 0) (i32.const 4)) (then unreachable))
            (drop (call $log (i32.const 1) (i32.load (i32.const 0)) (i32.load (i32.const 4)))))
        (start $start)"#,
    );
    for_each_engine(|engine| {
        let host = crate::recorder::Recorder::default();
        *host.value.borrow_mut() = vec![b"value"];
        let mut vm = compile(engine, &text).unwrap().instantiate(host.clone(), &limits(), &ALL).unwrap();
        assert_eq!(host.take_reports(), [b"section".to_vec(), b"value".to_vec()]);
        vm.start().unwrap();
        assert_eq!(host.take_reports().len(), 0, "the section ran once");
    });
}

#[test]
fn a_trap_in_the_start_section_is_no_instance() {
    for_each_engine(|engine| {
        let text = module("", "(func $start unreachable) (start $start)");
        let module = compile(engine, &text).unwrap();
        let Err(error) = module.instantiate(crate::recorder::Recorder::default(), &limits(), &ALL) else {
            panic!("must not start")
        };
        assert!(matches!(&error, LoadError::Instantiate(text) if text.contains("unreachable")), "{error}");
        assert!(error.to_string().starts_with("Failed to create new Wasm instance"), "{error}");
    });
}

#[test]
fn a_trap_in_a_start_function_is_a_fault() {
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate(engine, &module("", r#"(func (export "_start") unreachable)"#));
        let fault = vm.start().unwrap_err();
        assert_eq!((fault.function, fault.callback), ("_start", None));
        assert!(fault.to_string().starts_with("Function: _start failed: "), "{fault}");
        assert_eq!(vm.call(TICK).unwrap_err().kind, FaultKind::Dead);
        assert_eq!(vm.start().unwrap_err().kind, FaultKind::Dead);
    });
}

#[test]
fn start_functions_may_not_call_proxy_functions_but_log() {
    let imports = format!(r#"{IMPORT_LOG} (import "env" "proxy_done" (func $done (result i32)))"#);
    let text = module(
        &imports,
        &format!(
            r#"(func (export "_initialize")
                (drop (call $log (i32.const 1) (i32.const 0) (i32.const 2)))
                (drop (call $done)))
            {}"#,
            on_tick("(drop (call $done))")
        ),
    );
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate(engine, &text);
        let fault = vm.start().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Restricted("proxy_done"));
        assert_eq!(fault.to_string(), "Function: _initialize failed: restricted_callback: proxy_done");
        assert_eq!((host.take_reports().len(), host.take_calls().len()), (1, 0));

        // The same call in a callback, without `_initialize`.
        let (mut vm, host) = instantiate(engine, &text.replace("_initialize", "initialize"));
        vm.start().unwrap();
        vm.call(TICK).unwrap();
        assert_eq!(host.take_calls(), ["done()"]);
    });
}

#[test]
fn start_functions_may_use_wasi() {
    let imports = r#"
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
        (import "env" "emscripten_notify_memory_growth" (func $growth (param i32)))"#;
    let text = module(
        imports,
        r#"(func (export "_initialize")
            (call $growth (i32.const 0))
            (drop (call $random (i32.const 0) (i32.const 8)))
            (drop (call $yield))
            (if (i32.ne (call $prestat (i32.const 3) (i32.const 0)) (i32.const 8)) (then unreachable)))"#,
    );
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate(engine, &text);
        assert_eq!(vm.start(), Ok(()));
    });
}

fn exiting(function: &str, code: u32) -> String {
    module(
        r#"(import "wasi_unstable" "proc_exit" (func $exit (param i32)))"#,
        &format!(
            r#"(func (export "{function}") (call $exit (i32.const {code})) unreachable)
            (func (export "main") (param i32 i32) (result i32) unreachable)
            (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
            {}"#,
            on_tick("(call $exit (i32.const 0))")
        ),
    )
}

#[test]
fn exit_0_while_starting_means_finished() {
    for function in ["_start", "_initialize"] {
        for_each_engine(|engine| {
            let (mut vm, _) = instantiate(engine, &exiting(function, 0));
            assert_eq!(vm.start(), Ok(()));
            assert_eq!(vm.call(DONE), Ok(Some(1)), "the VM lives on");
        });
    }
}

#[test]
fn any_other_exit_is_a_fault() {
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate(engine, &exiting("_start", 3));
        let fault = vm.start().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Exit(3));
        assert_eq!(fault.to_string(), "Function: _start failed: proc_exit(3)");

        let (mut vm, _) = instantiate(engine, &exiting("_start", 0));
        vm.start().unwrap();
        assert_eq!(vm.call(TICK).unwrap_err().kind, FaultKind::Exit(0), "also 0, in a callback");
        assert_eq!(vm.call(DONE).unwrap_err().kind, FaultKind::Dead);
    });
}
