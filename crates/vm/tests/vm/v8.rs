//! What only V8 has: exceptions, isolates, and modules that are changed before it sees them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sandgate_abi::Callback;
use sandgate_vm::{FaultKind, Limits, LoadError, V8Engine};

use crate::recorder::Recorder;
use crate::support::{ALL, DONE, IMPORT_LOG, TICK, compile, instantiate, instantiate_with, limits, module, on_tick};

fn engine() -> V8Engine<Recorder> {
    V8Engine::new().unwrap()
}

#[test]
fn a_guest_cannot_catch_its_end() {
    let imports = r#"
        (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
        (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
        (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))"#;
    let abort = FaultKind::Trap("abort:  at :7:9".to_owned());
    let short = Limits { callback_cpu: Duration::from_millis(30), ..limits() };
    for (body, expected) in [
        ("(call $exit (i32.const 3))", FaultKind::Exit(3)),
        ("(call $abort (i32.const 0) (i32.const 0) (i32.const 7) (i32.const 9))", abort),
        ("(loop $again (br $again))", FaultKind::CpuLimit { limit: short.callback_cpu }),
    ] {
        // Catches all that can be caught, and goes on for ever.
        let tick = on_tick(&format!("(loop $for_ever try {body} catch_all end (br $for_ever))"));
        let (mut vm, _) = instantiate_with(&engine(), &module(imports, &tick), &short);
        assert_eq!(vm.call(TICK).unwrap_err().kind, expected, "{body}");
        // The isolate serves other instances as before.
        let (mut vm, _) = instantiate(&engine(), &module("", &on_tick("")));
        assert_eq!(vm.call(TICK), Ok(Some(0)));
    }
    let caught = on_tick("try (throw $tag) catch_all end");
    let (mut vm, _) = instantiate(&engine(), &module(imports, &format!("(tag $tag) {caught}")));
    assert_eq!(vm.call(TICK), Ok(Some(0)), "its own exceptions it can");
}

#[test]
fn what_v8_is_not_given_is_refused_with_the_reason() {
    for (items, reason) in [
        ("(memory 1)", "more than one memory is not supported on V8"),
        ("(table 1 1 (ref func) (ref.func 0))", "a table with an initial value is not supported on V8"),
        ("(table i64 1 funcref)", "a table that is shared or of 64 bits is not supported on V8"),
    ] {
        let Err(LoadError::Compile(text)) = compile(&engine(), &module("", items)) else { panic!("{items}") };
        assert_eq!(text, reason);
    }
    let shared = module("", "").replace("\"memory\") 1)", "\"memory\") 1 2 shared)");
    assert!(matches!(compile(&engine(), &shared), Err(LoadError::Compile(text)) if text.contains("shared")));
    let invalid = module("", "(func (result i32))");
    let Err(LoadError::Compile(text)) = compile(&engine(), &invalid) else { panic!("not valid") };
    assert!(text.starts_with("Uncaught CompileError: ") && text.contains("function #2"), "in V8's words: {text}");
}

#[test]
fn which_proposals_this_v8_knows() {
    // As docs/engines.md says.
    for (known, items) in [
        (true, "(func (result v128) (i32x4.splat (i32.const 1)))"),
        (true, "(func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))"),
        (true, "(table 1 externref) (func (drop (ref.func 0)))"),
        (true, "(func (result i32 i32) (i32.const 1) (i32.const 2))"),
        (true, "(func (result i32) (i32.trunc_sat_f32_s (f32.const 1)) (i32.extend8_s))"),
        (true, "(tag) (func try (throw 0) catch_all end)"),
        (false, "(global i32 (i32.add (i32.const 1) (i32.const 2)))"),
        (false, "(func $f (return_call $f))"),
        (false, "(func (result i32) (i32.const 0) (ref.i31) (i31.get_s))"),
    ] {
        assert_eq!(compile(&engine(), &module("", items)).is_ok(), known, "{items}");
    }
}

#[test]
fn tables_and_memory_keep_their_places() {
    // Two tables of each origin, an element segment for each, and a start section that reads them.
    let text = module(
        &format!(
            r#"{IMPORT_LOG}
            (import "a" "b" (table $imported 2 funcref))
            (type $number (func (result i32)))"#
        ),
        r#"(table $own 3 funcref)
        (elem (table $imported) (i32.const 1) func $three) (elem (table $own) (i32.const 2) func $five)
        (func $three (result i32) (i32.const 3)) (func $five (result i32) (i32.const 5))
        (data (i32.const 100) "abcdefgh")
        (func $start (i32.store8 (i32.const 100) (i32.const 88)))
        (start $start)
        (func (export "proxy_on_done") (param i32) (result i32)
            (drop (call $log (i32.const 1) (i32.const 100)
                (call_indirect $imported (type $number) (i32.const 1))))
            (call_indirect $own (type $number) (i32.const 2)))"#,
    );
    let (mut vm, host) = instantiate(&engine(), &text);
    assert_eq!(vm.call(DONE), Ok(Some(5)));
    assert_eq!(host.take_reports(), [b"Xbc"]);
}

#[test]
fn tables_share_the_limit() {
    let limits = Limits { table_elements: 10, ..limits() };
    let grow = r#"(table $first 1 funcref) (table $second 3 funcref)
        (func (export "proxy_on_done") (param $n i32) (result i32)
            (i32.add (table.grow $first (ref.null func) (local.get $n))
                (table.grow $second (ref.null func) (i32.const 3))))"#;
    let (mut vm, _) = instantiate_with(&engine(), &module("", grow), &limits);
    assert_eq!(vm.call(Callback::Done { context: 4 }), Ok(Some(2)), "-1 for the first, the size of the second before");
    assert_eq!(vm.call(Callback::Done { context: 3 }), Ok(Some(0)), "the size of the first before, -1 for the second");
    let huge = compile(&engine(), &module("", "(table 11 funcref)")).unwrap();
    assert!(huge.instantiate(Recorder::default(), &limits, &ALL).is_err());
}

#[test]
fn memory_that_has_moved_is_found() {
    let grow = on_tick(
        r#"(local $at i32)
        (loop $again
            (local.set $at (i32.mul (memory.grow (i32.const 100)) (i32.const 65536)))
            (i32.store (local.get $at) (i32.const 0x64636261))
            (drop (call $log (i32.const 1) (local.get $at) (i32.const 4)))
            (br_if $again (i32.lt_u (memory.size) (i32.const 2000))))"#,
    );
    let (mut vm, host) = instantiate(&engine(), &module(IMPORT_LOG, &grow));
    vm.call(TICK).unwrap();
    assert_eq!(host.take_reports(), vec![b"abcd"; 20]);
    assert_eq!(vm.memory_size(), 2001 << 16);
}

#[test]
fn threads_share_modules() {
    let module = compile(&engine(), &module("", &on_tick("unreachable"))).unwrap();
    let run = |module: Arc<dyn sandgate_vm::Module<Recorder>>| {
        let mut vm = module.instantiate(Recorder::default(), &limits(), &ALL).unwrap();
        vm.call(TICK).unwrap_err().to_string()
    };
    let threads: Vec<_> =
        (0..4).map(|_| Arc::clone(&module)).map(|module| thread::spawn(move || run(module))).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "Function: proxy_on_tick failed: Uncaught RuntimeError: unreachable");
    }
}

#[test]
fn instances_that_are_dropped_are_freed() {
    let text = module(
        "",
        r#"(func (export "proxy_on_done") (param i32) (result i32)
            (memory.fill (i32.mul (memory.grow (i32.const 512)) (i32.const 65536)) (i32.const 1) (i32.const 33554432))
            (i32.const 1))"#,
    );
    let module = compile(&engine(), &text).unwrap();
    let before = resident();
    for _ in 0..64 {
        let mut vm = module.instantiate(Recorder::default(), &limits(), &ALL).unwrap();
        assert_eq!(vm.call(Callback::Done { context: 2 }), Ok(Some(1)));
    }
    let more = resident().saturating_sub(before) >> 20;
    assert!(more < 1024, "64 instances of 32 MiB, one after the other, hold {more} MiB");
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() << 12
}
