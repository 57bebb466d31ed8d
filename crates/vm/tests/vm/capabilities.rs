//! Functions that a plugin may not call.

use sandgate_abi::Capabilities;

use crate::recorder::Recorder;
use crate::support::{IMPORT_LOG, TICK, compile, for_each_engine, limits, module, on_tick};

/// Reports the answers of a hostcall and of a WASI function, and calls one without an answer.
fn guest() -> String {
    let imports = format!(
        r#"{IMPORT_LOG}
        (import "env" "proxy_done" (func $done (result i32)))
        (import "env" "pthread_equal" (func $equal (param i32 i32) (result i32)))
        (import "wasi_unstable" "sched_yield" (func $yield (result i32)))
        (import "wasi_unstable" "proc_exit" (func $exit (param i32)))"#
    );
    let report = |call: &str| {
        format!(
            "(i32.store8 (i32.const 8) {call})
            (drop (call $log (i32.const 1) (i32.const 8) (i32.const 1)))"
        )
    };
    let body = [
        report("(call $done)"),
        report("(call $yield)"),
        "(call $exit (i32.const 1))".to_owned(),
        report("(call $equal (i32.const 3) (i32.const 3))"),
    ];
    module(&imports, &on_tick(&body.concat()))
}

#[test]
fn what_is_not_allowed_answers_without_the_host() {
    for_each_engine(|engine| {
        let host = Recorder::default();
        let allowed = Capabilities::only(["proxy_log"]);
        let mut vm = compile(engine, &guest()).unwrap().instantiate(host.clone(), &limits(), &allowed).unwrap();
        vm.start().unwrap();
        vm.call(TICK).unwrap();
        assert_eq!(host.take_reports(), [[10], [76], [1]]);
        assert_eq!(host.take_calls(), ["restricted proxy_done", "restricted sched_yield", "restricted proc_exit"]);
    });
}

#[test]
fn instances_of_one_module_may_differ() {
    for_each_engine(|engine| {
        let compiled = compile(engine, &guest()).unwrap();
        let allowed = Capabilities::only(["proxy_log", "proxy_done", "sched_yield"]);
        let none = Capabilities::only(["proxy_get_metric"]);
        for (capabilities, reports, calls) in [
            (allowed, vec![vec![0], vec![0], vec![1]], vec!["done()", "restricted proc_exit"]),
            (none, vec![], vec!["proxy_done", "proxy_log", "sched_yield", "proxy_log", "proc_exit", "proxy_log"]),
        ] {
            let host = Recorder::default();
            let mut vm = compiled.instantiate(host.clone(), &limits(), &capabilities).unwrap();
            vm.start().unwrap();
            vm.call(TICK).unwrap();
            assert_eq!(host.take_reports(), reports);
            let said: Vec<_> = host.take_calls();
            let said: Vec<_> = said
                .iter()
                .map(|call| call.strip_prefix("restricted ").filter(|_| reports.is_empty()).unwrap_or(call))
                .collect();
            assert_eq!(said, calls);
        }
    });
}
