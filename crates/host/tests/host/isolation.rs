//! `isolation: STREAM`: each stream has an instance of its own, in the state that the configured plugin was in.

use std::rc::Rc;

use sandgate_host::{Isolation, NativeEngine, PluginConfig, Stat, fail_stream_reply};
use sandgate_http::{Direction, HeadersStatus};

use crate::callouts;
use crate::stream::{Asked, MockStream};
use crate::world::{Runtime, World, begin, begin_with, plugin_file};

fn isolated(world: &World, script: &str) -> PluginConfig {
    let mut config = world.config(script);
    config.vm.isolation = Isolation::Stream;
    config
}

fn world() -> World {
    World::new(&Runtime::Wasmtime)
}

#[test]
fn streams_begin_as_the_plugin_was_configured() {
    let world = world();
    let script = "on configure:\n  $n = 41\non request_headers:\n  $n = $n + 1\n  say $n\non response_headers:\n  $n = $n + 1\n  say $n";
    let handle = world.plugin(isolated(&world, script));
    let (first, second) = (begin(&handle), begin(&handle));
    first.context.on_request_headers(true);
    second.context.on_request_headers(true);
    second.respond(&[(":status", "200")]);
    second.context.on_response_headers(true);
    assert_eq!(world.said(), ["request_headers: 42", "request_headers: 42", "response_headers: 43"]);
    // A guest of its own sees contexts of its own.
    let ids = world.plugin(isolated(&world, "on request_headers:\n  say $root\n  say $stream"));
    for _ in 0..2 {
        let exchange = begin(&ids);
        exchange.context.on_request_headers(true);
        exchange.end();
    }
    assert_eq!(world.said(), ["request_headers: 1", "request_headers: 2", "request_headers: 1", "request_headers: 2"]);
}

#[test]
fn a_trap_costs_one_stream() {
    let world = world();
    let script = "on request_headers when $path == \"/bad\":\n  trap unreachable\non request_headers when $path == \"/wait\":\n  \
                  return 1\non response_headers:\n  say \"alive\"";
    let handle = world.plugin(isolated(&world, script));
    let waiting = begin_with(&handle, MockStream::get("/wait"));
    assert_eq!(waiting.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    for _ in 0..3 {
        let bad = begin_with(&handle, MockStream::get("/bad"));
        bad.context.on_request_headers(true);
        assert_eq!(bad.stream.asked(), [Asked::Reply(fail_stream_reply())]);
        bad.end();
        assert!(handle.is_alive());
    }
    assert_eq!(waiting.stream.asked(), []);
    world.log.take();
    waiting.respond(&[(":status", "200")]);
    waiting.context.on_response_headers(true);
    assert_eq!(world.said(), ["response_headers: alive"]);
    let traps: u64 = world.host.report().iter().flat_map(|plugin| &plugin.workers).map(|worker| worker.traps).sum();
    assert_eq!(traps, 3);
}

#[test]
fn what_the_host_gave_out_while_configuring_is_known() {
    let world = world();
    let script = "on configure:\n  $m = define_metric(0, \"seen\")\n  $e = call_foreign_function(\"expr_create\", \"request.path\")\non \
                  request_headers:\n  increment_metric($m, 2)\n  quiet call_foreign_function(\"expr_evaluate\", $e) as status\n  \
                  say $status\n  $own = define_metric(0, \"own\")\n  increment_metric($own, 1)";
    let handle = world.plugin(isolated(&world, script));
    for _ in 0..2 {
        begin(&handle).context.on_request_headers(true);
    }
    assert_eq!(world.stat("wasmcustom.seen"), Some(Stat::Counter(4)));
    assert_eq!(world.stat("wasmcustom.own"), Some(Stat::Counter(2)));
    assert!(world.said().contains(&"request_headers: 0".to_owned()));
}

#[test]
fn answers_come_to_the_instance_that_asked() {
    let (world, sent) = callouts::world(&Runtime::Wasmtime);
    let script = "on request_headers:\n  $mine = $path\n  \
                  quiet http_call(\"c\", {\":method\": \"GET\", \":path\": \"/\", \":authority\": \"a\"}, \"\", {}, 1000)\n  return 1\non \
                  http_call_response:\n  say $mine\n  set_effective_context($stream)\n  continue_stream(0)";
    let handle = world.plugin(isolated(&world, script));
    let exchanges: Vec<_> = ["/a", "/b", "/c"].map(|path| begin_with(&handle, MockStream::get(path))).into();
    for exchange in &exchanges {
        exchange.context.on_request_headers(true);
    }
    assert_eq!(sent.count(), 3);
    world.log.take();
    sent.answer(1, callouts::ok("x"));
    sent.answer(0, callouts::ok("x"));
    let said = world.said();
    assert_eq!([&said[0], &said[3]], ["http_call_response: /b", "http_call_response: /a"]);
    assert_eq!(exchanges[1].stream.asked(), [Asked::Resume(Direction::Request)]);
    assert_eq!(exchanges[2].stream.asked(), []);
    // A stream that ends takes its calls along.
    let gone = sent.gone();
    exchanges[2].end();
    drop(exchanges);
    assert_eq!(sent.gone(), gone + 1);
}

#[test]
fn an_instance_that_is_used_again_knows_nothing_of_the_stream_before() {
    let world = world();
    // Text in memory, a number, and a metric's id that the host has given out.
    let script = "on configure:\n  $text = \"clean\"\non request_headers:\n  say $text\n  say $n\n  $text = repeat($path, 1000)\n  $n = 7\n  \
                  say len($text)\n  say $stream";
    let handle = world.plugin(isolated(&world, script));
    let mut waiting = Vec::new();
    for round in 0..100 {
        // Some at a time, some one after the other.
        let exchange = begin_with(&handle, MockStream::get("/secret"));
        exchange.context.on_request_headers(true);
        let said = world.said();
        let expected = ["request_headers: clean", "request_headers: 0", "request_headers: 7000", "request_headers: 2"];
        assert_eq!(said, expected, "round {round}");
        if round % 3 == 0 {
            waiting.push(exchange);
        } else {
            exchange.end();
        }
        if round % 10 == 0 {
            waiting.drain(..).for_each(|exchange| exchange.end());
        }
    }
    // Where the kernel tells which pages were written (Linux 6.7), else each stream has had a new one.
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let tells = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 7);
    assert_eq!(handle.spare_instances() > 0, tells);
    assert!(handle.spare_instances() <= 64);
}

#[test]
fn what_outlives_streams_belongs_to_the_threads_own_instance() {
    let world = world();
    let script = "on configure:\n  set_tick_period_milliseconds(10)\non tick:\n  $n = $n + 1\n  say $n\non request_headers:\n  \
                  set_tick_period_milliseconds(5)\n  say $n";
    let handle = world.plugin(isolated(&world, script));
    world.pass(10);
    world.pass(10);
    assert_eq!(world.said(), ["tick: 1", "tick: 2"]);
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    assert!(said[0].ends_with("= 12") && said[1] == "request_headers: 0", "{said:?}");
    world.pass(5);
    assert_eq!(world.said().len(), 0);
}

#[test]
fn instances_end_with_their_streams() {
    let world = world();
    let handle = world.plugin(isolated(&world, "on request_headers:\n  $x = repeat(\"x\", 100000)\n  say len($x)"));
    let count = || Rc::strong_count(&handle);
    let before = count();
    for _ in 0..500 {
        let exchange = begin(&handle);
        exchange.context.on_request_headers(true);
        exchange.end();
    }
    assert_eq!(count(), before);
    assert_eq!(world.said().len(), 500);
    let stat = world.stat("wasm.wasm_vm_count");
    assert!(matches!(stat, Some(Stat::Gauge(1..=3))), "{stat:?}");
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let refusal = |config: PluginConfig, world: &World| world.load(config).unwrap_err().to_string();
    let world = world();
    let mut native = isolated(&world, "");
    native.vm.runtime = NativeEngine::NAME.into();
    native.vm.code = "probe".into();
    assert!(refusal(native, &world).contains("envoy.wasm.runtime.null cannot do that"));
    // Tables that change, and a VM that another plugin shares.
    let mut changes = isolated(&world, "");
    let module = r#"(module (memory (export "memory") 1) (table 1 funcref)
        (func (export "proxy_abi_version_0_2_1")) (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32)
          (table.set (i32.const 0) (ref.null func)) (i32.const 0)))"#;
    changes.vm.code = wat::parse_str(module).unwrap().into();
    let error = refusal(changes, &world);
    assert!(error.contains("isolation STREAM") && error.contains("table.set"), "{error}");
    let first = world.load(isolated(&world, "on configure:\n  $n = 1")).unwrap();
    let mut second = isolated(&world, "");
    second.root_id = "other".into();
    let error = refusal(second, &world);
    assert!(error.contains("shared with plugin \"my_plugin\""), "{error}");
    // A new version of the same plugin is none that shares.
    assert!(world.load(isolated(&world, "on configure:\n  $n = 2")).is_ok());
    drop(first);
    // What is no plugin at all is refused for that.
    let mut broken = isolated(&world, "");
    broken.vm.code = b"\0asm\x01\0\0\0"[..].into();
    assert!(refusal(broken, &world).contains("Missing or unknown Proxy-Wasm ABI version"));
}

/// Each request leaves 1 MiB behind, of the 8 MiB that an instance may have.
#[test]
fn memory_that_is_left_behind_goes_with_its_stream() {
    let world = world();
    let mut config = isolated(&world, "");
    config.vm.code = plugin_file("leak/leak.wasm");
    config.vm.limits.memory_bytes = 8 << 20;
    let handle = world.plugin(config);
    let (before, requests) = (resident_mib(), 3000);
    for _ in 0..requests {
        let exchange = begin(&handle);
        assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::Continue);
        exchange.end();
    }
    // Other tests of the process take memory too.
    let grown = resident_mib().saturating_sub(before);
    assert!(grown < requests / 4, "{grown} MiB more after {requests} requests");
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
