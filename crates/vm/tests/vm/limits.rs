//! CPU time and memory of an instance.

use std::time::{Duration, Instant};

use sandgate_abi::Callback;
use sandgate_vm::{FaultKind, Limits, LoadError, WasmtimeEngine};

use crate::recorder::Recorder;
use crate::support::{ALL, DONE, TICK, compile, for_each_engine, instantiate_with, limits, module, on_tick};

const LOOP: &str = "(loop $again (br $again))";

fn short() -> Limits {
    Limits { callback_cpu: Duration::from_millis(30), ..limits() }
}

#[test]
fn an_endless_loop_ends_at_the_limit() {
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate_with(engine, &module("", &on_tick(LOOP)), &short());
        let start = Instant::now();
        let fault = vm.call(TICK).unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert_eq!(fault.kind, FaultKind::CpuLimit { limit: Duration::from_millis(30) });
        assert_eq!(fault.to_string(), "Function: proxy_on_tick failed: CPU time limit of 30ms exceeded");
        assert_eq!(vm.call(TICK).unwrap_err().kind, FaultKind::Dead);
    });
}

#[test]
fn starting_has_its_own_limit() {
    let limits = Limits { callback_cpu: Duration::from_secs(60), start_cpu: Duration::from_millis(30), ..limits() };
    let expected = FaultKind::CpuLimit { limit: limits.start_cpu };
    for_each_engine(|engine| {
        let (mut vm, _) =
            instantiate_with(engine, &module("", &format!(r#"(func (export "_start") {LOOP})"#)), &limits);
        assert_eq!(vm.start().unwrap_err().kind, expected);

        let endless = module("", &format!("(func $start {LOOP}) (start $start)"));
        let Err(error) = compile(engine, &endless).unwrap().instantiate(Recorder::default(), &limits, &ALL) else {
            panic!("must not start")
        };
        assert_eq!(error.to_string(), "Failed to create new Wasm instance: CPU time limit of 30ms exceeded");

        for (export, callback) in [
            ("proxy_on_vm_start", Callback::VmStart { root: 1, config_size: 0 }),
            ("proxy_on_configure", Callback::Configure { root: 1, config_size: 0 }),
        ] {
            let text =
                module("", &format!(r#"(func (export "{export}") (param i32 i32) (result i32) {LOOP} (i32.const 1))"#));
            let (mut vm, _) = instantiate_with(engine, &text, &limits);
            assert_eq!(vm.call(callback).unwrap_err().kind, expected);
        }

        // The root context counts as starting; a stream's does not.
        let text = module("", &format!(r#"(func (export "proxy_on_context_create") (param i32 i32) {LOOP})"#));
        let (mut vm, _) = instantiate_with(engine, &text, &limits);
        let fault = vm.call(Callback::ContextCreate { context: 1, parent: 0 }).unwrap_err();
        assert_eq!(fault.kind, expected);
        let (mut vm, _) = instantiate_with(engine, &text, &short());
        let fault = vm.call(Callback::ContextCreate { context: 2, parent: 1 }).unwrap_err();
        assert_eq!(fault.kind, FaultKind::CpuLimit { limit: short().callback_cpu });
    });
}

#[test]
fn every_call_has_the_whole_limit() {
    // Each call uses a fraction of the limit; together they are far beyond it.
    let spin = on_tick(
        "(local $n i32) (loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 20000000))))",
    );
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate_with(engine, &module("", &spin), &limits());
        let start = Instant::now();
        vm.call(TICK).unwrap();
        let once = start.elapsed();
        let limits = Limits { callback_cpu: once * 5 + Duration::from_millis(50), ..limits() };
        let (mut vm, _) = instantiate_with(engine, &module("", &spin), &limits);
        for _ in 0..30 {
            assert_eq!(vm.call(TICK), Ok(Some(0)));
        }
    });
}

#[test]
fn a_long_call_does_not_lengthen_the_next() {
    // Configuring runs over several ticks, with a deadline that is then a minute away.
    let items = format!(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (local $n i32)
            (loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 100000000))))
            (i32.const 1))
        {}"#,
        on_tick(LOOP)
    );
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate_with(engine, &module("", &items), &short());
        assert_eq!(vm.call(Callback::Configure { root: 1, config_size: 0 }), Ok(Some(1)));
        let start = Instant::now();
        assert!(vm.call(TICK).is_err());
        assert!(start.elapsed() < Duration::from_secs(20));
    });
}

#[test]
fn time_in_the_allocator_counts() {
    let text = format!(
        r#"(module
            (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) {LOOP} (i32.const 0))
            {})"#,
        on_tick("(drop (call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4)))")
    );
    for_each_engine(|engine| {
        let (mut vm, host) = instantiate_with(engine, &text, &short());
        *host.value.borrow_mut() = vec![b"value"];
        let fault = vm.call(TICK).unwrap_err();
        assert_eq!((fault.function, fault.kind), ("malloc", FaultKind::CpuLimit { limit: short().callback_cpu }));
    });
}

const GROW: &str =
    r#"(func (export "proxy_on_done") (param $pages i32) (result i32) (memory.grow (local.get $pages)))"#;

fn grow(pages: u32) -> Callback {
    Callback::Done { context: pages }
}

#[test]
fn memory_does_not_grow_beyond_the_limit() {
    let limits = Limits { memory_bytes: 10 << 16, ..limits() };
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate_with(engine, &module("", GROW), &limits);
        assert_eq!(vm.call(grow(10)), Ok(Some(u32::MAX)), "one more than is left");
        assert_eq!(vm.call(grow(9)), Ok(Some(1)));
        assert_eq!(vm.memory_size(), 10 << 16);
        assert_eq!(vm.call(grow(1)), Ok(Some(u32::MAX)));
        assert_eq!(vm.call(grow(0)), Ok(Some(10)), "the guest goes on");
    });
}

#[test]
fn the_declared_maximum_is_no_matter_and_the_minimum_is() {
    let limits = Limits { memory_bytes: 10 << 16, ..limits() };
    for_each_engine(|engine| {
        let declared = |pages: &str| module("", GROW).replace("\"memory\") 1)", &format!("\"memory\") {pages})"));
        let (mut vm, _) = instantiate_with(engine, &declared("10 32768"), &limits);
        assert_eq!(vm.call(grow(1)), Ok(Some(u32::MAX)));

        let module = compile(engine, &declared("11")).unwrap();
        let Err(LoadError::Instantiate(text)) = module.instantiate(Recorder::default(), &limits, &ALL) else {
            panic!("must not start")
        };
        assert!(text.contains("memory") && text.contains("11 pages"), "{text}");
    });
}

#[test]
fn an_imported_memory_has_the_same_limit() {
    let limits = Limits { memory_bytes: 10 << 16, ..limits() };
    let text = |pages: u32| {
        module(&format!(r#"(import "env" "memory" (memory {pages}))"#), GROW)
            .replace("(memory (export \"memory\") 1)", "")
    };
    for_each_engine(|engine| {
        let (mut vm, _) = instantiate_with(engine, &text(10), &limits);
        assert_eq!(vm.call(grow(1)), Ok(Some(u32::MAX)));
        let module = compile(engine, &text(11)).unwrap();
        assert!(module.instantiate(Recorder::default(), &limits, &ALL).is_err());
    });
}

#[test]
fn tables_are_bounded() {
    for_each_engine(|engine| {
        let text = module(
            "",
            r#"(table $table 1 funcref)
            (func (export "proxy_on_done") (param $n i32) (result i32)
                (table.grow $table (ref.null func) (local.get $n)))"#,
        );
        let (mut vm, _) = instantiate_with(engine, &text, &limits());
        assert_eq!(vm.call(grow(1 << 20)), Ok(Some(u32::MAX)));
        assert_eq!(vm.call(grow(1000)), Ok(Some(1)));
        let huge = compile(engine, &module("", "(table 4000000000 funcref)")).unwrap();
        assert!(huge.instantiate(Recorder::default(), &limits(), &ALL).is_err());
    });
}

#[test]
fn tables_have_a_limit_that_is_told() {
    let text = module(
        "",
        r#"(table $table 1 funcref)
        (func (export "proxy_on_done") (param $n i32) (result i32)
            (table.grow $table (ref.null func) (local.get $n)))"#,
    );
    let engine = WasmtimeEngine::new().unwrap();
    let limits = Limits { table_elements: 10, ..limits() };
    let (mut vm, calls) = instantiate_with(&engine, &text, &limits);
    assert_eq!(vm.call(grow(9)), Ok(Some(1)));
    assert_eq!(calls.take_calls(), Vec::<String>::new());
    assert_eq!(vm.call(grow(1)), Ok(Some(u32::MAX)));
    assert_eq!(calls.take_calls(), ["refused Tables"]);
}

#[test]
fn instances_are_apart() {
    let counter = module(
        "",
        r#"(global $n (mut i32) (i32.const 0))
        (func (export "proxy_on_done") (param i32) (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (i32.add (global.get $n) (i32.load (i32.const 0))))"#,
    );
    for_each_engine(|engine| {
        let module = compile(engine, &counter).unwrap();
        let mut first = module.instantiate(Recorder::default(), &limits(), &ALL).unwrap();
        let mut second = module.instantiate(Recorder::default(), &limits(), &ALL).unwrap();
        assert_eq!(first.call(DONE), Ok(Some(2)));
        assert_eq!(first.call(DONE), Ok(Some(4)));
        assert_eq!(second.call(DONE), Ok(Some(2)));
    });
}
