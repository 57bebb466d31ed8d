//! What only a Wasm guest can do: loop for ever, lie about pointers, exhaust its memory; and loading real modules.

use std::time::Duration;

use bytes::Bytes;
use sandgate_host::fail_stream_reply;
use sandgate_http::HeadersStatus;

use crate::on_every_wasm_engine;
use crate::stream::Asked;
use crate::world::{Runtime, World, begin, plugin_file};

on_every_wasm_engine! {
    a_loop_ends_at_the_cpu_limit
    a_loop_while_configuring_ends_too
    every_kind_of_trap_ends_one_stream
    pointers_outside_memory_are_answered
    the_memory_limit_holds
    start_functions_run_in_every_vm_and_log_without_a_context
    the_older_abis_load
    configuration_of_abi_0_1_0
    modules_that_cannot_be_loaded_say_why
    modules_that_cannot_be_linked_say_why
}

fn a_loop_ends_at_the_cpu_limit(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("on request_headers:\n  trap loop");
    config.vm.limits.callback_cpu = Duration::from_millis(50);
    let handle = world.plugin(config);
    let exchange = begin(&handle);
    assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(exchange.stream.asked(), [Asked::Reply(fail_stream_reply())]);
    let log = world.log.take();
    assert!(log.iter().any(|(_, line)| line.contains("CPU time limit") && line.contains("my_plugin")), "{log:?}");
}

fn a_loop_while_configuring_ends_too(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("on configure:\n  trap loop");
    config.vm.limits.start_cpu = Duration::from_millis(50);
    let error = world.load(config).unwrap_err().to_string();
    assert!(error.contains("Failed to configure base Wasm plugin") && error.contains("CPU time limit"), "{error}");
}

fn every_kind_of_trap_ends_one_stream(runtime: &Runtime) {
    for kind in ["unreachable", "oob", "divzero", "overflow", "indirect", "stackoverflow"] {
        let world = World::new(runtime);
        let handle = world.script(&format!("on request_headers:\n  trap {kind}"));
        let exchange = begin(&handle);
        exchange.context.on_request_headers(true);
        assert_eq!(exchange.stream.asked(), [Asked::Reply(fail_stream_reply())], "{kind}");
    }
}

fn pointers_outside_memory_are_answered(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  get_header_map_value(0, @0xfffffff0:16)\n  add_header_map_value(0, @end-4:8, \"v\")\n  \
         get_header_map_pairs(0, @0xfffffff0, _)\n  get_buffer_bytes(6, 0, 9, _, @0xfffffffc)\n  log(2, @end:1)\n  \
         send_local_response(200, @0xfffffff0:16, \"\", {}, -1)\n  get_property(@0x7fffffff:0x7fffffff)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    let said = world.said();
    assert_eq!(said.len(), 7);
    assert!(said.iter().all(|line| line.ends_with(" = 6")), "{said:#?}");
    assert_eq!(exchange.stream.asked(), []);
}

fn the_memory_limit_holds(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("on request_headers:\n  memory_grow(10000)\n  say \"alive\"");
    config.vm.limits.memory_bytes = 64 << 20;
    let handle = world.plugin(config);
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    assert_eq!(said, ["request_headers: memory_grow(10000) = -1", "request_headers: alive"]);
}

fn start_functions_run_in_every_vm_and_log_without_a_context(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("");
    config.vm.environment = vec![("PROBE".into(), "on start:\n  log(2, \"hello\")".into())];
    let plugin = world.load(config).unwrap();
    let _handle = world.worker.plugin_handle(&plugin).unwrap();
    let lines: Vec<_> = world.log.take().into_iter().map(|(_, line)| line).collect();
    // Base, trial, worker; each says it and reports it.
    assert_eq!(lines.iter().filter(|line| *line == "wasm log: hello").count(), 3, "{lines:?}");
}

fn the_older_abis_load(runtime: &Runtime) {
    for file in ["probe/probe-0.1.0.wasm", "probe/probe-0.2.0.wasm"] {
        let world = World::new(runtime);
        let mut config = world.config(
            "on configure:\n  get_buffer_bytes(7, 0, 2)\non request_headers:\n  get_header_map_value(0, \"missing\")",
        );
        config.vm.code = plugin_file(file);
        let handle = world.plugin(config);
        begin(&handle).context.on_request_headers(true);
        // 0.1.0 has no way to say "missing".
        let status = if file.contains("0.1.0") { "0 \"\"" } else { "1" };
        assert_eq!(
            world.said(),
            [format!("request_headers: get_header_map_value(0, \"missing\") = {status}")],
            "{file}"
        );
    }
}

fn configuration_of_abi_0_1_0(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("on configure, request_headers:\n  get_configuration() as len");
    config.vm.configuration = Bytes::from_static(b"# vm");
    config.vm.code = plugin_file("probe/probe-0.1.0.wasm");
    let plugin = world.load(config.clone()).unwrap();
    world.log.take();
    let handle = world.worker.plugin_handle(&plugin).unwrap();
    begin(&handle).context.on_request_headers(true);
    let size = config.configuration.len();
    assert_eq!(
        world.said(),
        [
            format!("configure: get_configuration() = 0 {size} bytes"),
            "request_headers: get_configuration() = 0 4 bytes".to_owned()
        ]
    );
}

fn modules_that_cannot_be_loaded_say_why(runtime: &Runtime) {
    for (code, cause, lines) in [
        (&b"garbage"[..], "Failed to load Wasm code: Failed to parse corrupted Wasm module", 2),
        (b"\0asm\x01\0\0\0", "Failed to load Wasm code: Missing or unknown Proxy-Wasm ABI version", 2),
    ] {
        let world = World::new(runtime);
        let mut config = world.config("");
        config.vm.code = Bytes::from_static(code);
        let error = world.load(config).unwrap_err().to_string();
        assert!(error.starts_with(&format!("Unable to create Wasm plugin my_plugin: {cause}")), "{error}");
        let log = world.log.take();
        assert!(log[0].1.starts_with("Wasm VM failed "), "{log:?}");
        assert_eq!(log[1].1, "Wasm VM failed Failed to load Wasm code");
        assert_eq!(log.len(), lines + 2);
    }
}

fn modules_that_cannot_be_linked_say_why(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config("");
    let module = r#"(module (import "env" "proxy_nosuch" (func)) (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#;
    config.vm.code = wat::parse_str(module).unwrap().into();
    let error = world.load(config).unwrap_err().to_string();
    assert!(error.contains("Failed to load Wasm module due to a missing import: env.proxy_nosuch"), "{error}");
    let log = world.log.take();
    assert_eq!(log[0].1, "Failed to load Wasm module due to a missing import: env.proxy_nosuch");
    assert_eq!(log[1].1, "Wasm VM failed Failed to initialize Wasm code");
}
