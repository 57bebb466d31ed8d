//! What a plugin may take, and what becomes of it when it wants more.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_host::{
    HostLimits, Isolation, PluginErrorCause, PluginSettings, Quotas, Stat, WorkerHost, fail_stream_reply,
};
use sandgate_http::{BodyBuffer, HeadersStatus};

use crate::stream::Asked;
use crate::world::{Runtime, World, begin};
use crate::{on_every_engine, on_every_wasm_engine};

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn body() -> BodyBuffer {
    let mut body = BodyBuffer::new();
    body.push(Bytes::from_static(b"body"));
    body
}

/// A whole exchange, and a tick.
fn everything(world: &World, handle: &sandgate_host::PluginHandle) {
    let exchange = begin(handle);
    let context = &exchange.context;
    context.on_request_headers(false);
    context.on_request_body(&mut body(), false);
    context.on_request_trailers();
    exchange.respond(&[(":status", "200")]);
    context.on_response_headers(false);
    context.on_response_body(&mut body(), false);
    context.on_response_trailers();
    exchange.end();
    world.pass(20);
}

mod loops {
    use super::*;

    on_every_wasm_engine! {
        a_loop_in_any_callback_ends_within_twice_its_limit
    }

    fn a_loop_in_any_callback_ends_within_twice_its_limit(runtime: &Runtime) {
        let limit = Duration::from_millis(100);
        for callback in [
            "request_headers",
            "request_body",
            "request_trailers",
            "response_headers",
            "response_body",
            "response_trailers",
            "log",
            "done",
            "delete",
            "tick",
        ] {
            let world = World::new(runtime);
            let script = format!("on configure:\n  set_tick_period_milliseconds(10)\non {callback}:\n  trap loop");
            let mut config = world.config(&script);
            config.vm.limits.callback_cpu = limit;
            let handle = world.plugin(config);
            let before = thread_cpu();
            everything(&world, &handle);
            let took = thread_cpu() - before;
            assert!(limit <= took && took < limit * 2, "{callback}: {took:?}");
            let log = world.log.take();
            let line =
                format!("Function: proxy_on_{callback} failed: CPU time limit of 100ms exceeded (plugin \"my_plugin\"");
            assert_eq!(log.iter().filter(|(_, text)| text.contains(&line)).count(), 1, "{callback}: {log:?}");
            assert_eq!(world.stat("wasm.limit_exceeded.callback_cpu"), Some(Stat::Counter(1)), "{callback}");
        }
    }
}

on_every_engine! {
    a_stream_has_so_much_cpu_time_in_all
    there_are_no_more_instances_than_there_may_be
    log_lines_that_are_dropped_are_counted
    the_first_settings_that_fit_hold
}

fn a_stream_has_so_much_cpu_time_in_all(runtime: &Runtime) {
    let limits = HostLimits { stream_cpu: Some(Duration::from_millis(70)), ..HostLimits::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script("on request_headers, request_body, done, delete:\n  say \"here\"");
    // By this clock a callback takes 20 ms, and one that is timed, too, 60 ms.
    world.clock.cpu_step_ns.set(20_000_000);
    for _ in 0..2 {
        let exchange = begin(&handle);
        assert_eq!(exchange.context.on_request_headers(false), HeadersStatus::Continue);
        exchange.context.on_request_body(&mut body(), true);
        assert_eq!(exchange.stream.asked(), [Asked::Reply(fail_stream_reply())]);
        exchange.context.on_response_headers(true);
        exchange.end();
    }
    let log: Vec<_> = world.log.take().into_iter().map(|(_, line)| line).collect();
    let said: Vec<_> = log.iter().filter_map(|line| line.split_once(": ")).map(|(_, said)| said).collect();
    let stream = ["request_headers: here", "done: here", "delete: here"];
    let told = "plugin \"my_plugin\" (root_id \"my_root\", vm_id \"my_vm\") has reached the limit stream_cpu of 70ms in \
                proxy_on_request_body: more is refused";
    assert_eq!(log.iter().filter(|line| *line == told).count(), 1, "{log:?}");
    assert_eq!(said.iter().filter(|said| stream.contains(said)).count(), 6, "{log:?}");
    assert_eq!(world.stat("wasm.limit_exceeded.stream_cpu"), Some(Stat::Counter(2)));
}

fn there_are_no_more_instances_than_there_may_be(runtime: &Runtime) {
    let world = World::with_limits(runtime, HostLimits { instances: Some(1), ..HostLimits::default() });
    let plugin = world.load(world.config("")).unwrap();
    let handle = world.worker.plugin_handle(&plugin).unwrap();
    let other = WorkerHost::new(Arc::clone(&world.host), Rc::clone(&world.clock) as _);
    let error = other.plugin_handle(&plugin).unwrap_err();
    assert_eq!(error.cause, PluginErrorCause::TooManyInstances { limit: 1 });
    assert_eq!(world.stat("wasm.limit_exceeded.instances"), Some(Stat::Counter(1)));
    drop(handle);
    assert!(other.plugin_handle(&plugin).is_ok());
}

fn log_lines_that_are_dropped_are_counted(runtime: &Runtime) {
    let limits = HostLimits { log_bytes_per_second: Some(10), ..HostLimits::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script("on request_headers:\n  quiet log(2, \"0123456789\")\n  quiet log(2, \"x\")");
    world.log.take();
    world.pass(1000);
    begin(&handle).context.on_request_headers(true);
    assert_eq!(world.said(), ["0123456789"]);
    assert_eq!(world.stat("wasm.limit_exceeded.log_bytes_per_second"), Some(Stat::Counter(1)));
}

fn the_first_settings_that_fit_hold(runtime: &Runtime) {
    let settings = |name: Option<&str>, vm_id: Option<&str>, queues| PluginSettings {
        name: name.map(str::to_owned),
        root_id: None,
        vm_id: vm_id.map(str::to_owned),
        quotas: Quotas { host: Arc::new(HostLimits { queues, ..HostLimits::default() }), ..Quotas::default() },
    };
    let all = vec![settings(Some("a"), Some("v"), 1), settings(None, Some("v"), 2)];
    let world = World::of(runtime, |builder| builder.plugin_settings(all));
    let queues = |name, vm_id| world.host.quotas(name, "", vm_id).host.queues;
    assert_eq!([queues("a", "v"), queues("b", "v"), queues("a", "w")], [1, 2, HostLimits::default().queues]);
    assert_eq!(world.host.quotas("b", "", "v").isolation, Isolation::Vm);
    // They do not share a VM, but what the VMs of one id have together.
    let script = "on request_headers:\n  register_shared_queue(\"q\")\n  register_shared_queue(\"r\")";
    let plugin = |queues| {
        let mut config = world.config(script);
        config.vm.host_limits = Some(Arc::new(HostLimits { queues, ..HostLimits::default() }));
        world.plugin(config)
    };
    let (few, more) = (plugin(1), plugin(2));
    begin(&few).context.on_request_headers(true);
    begin(&more).context.on_request_headers(true);
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(" = ").unwrap().1).collect();
    assert_eq!(ends, ["0 1", "10", "0 1", "0 2"], "{said:?}");
}

mod memory {
    use super::*;

    #[test]
    fn memory_that_is_refused_is_told() {
        let world = World::new(&Runtime::Wasmtime);
        let mut config = world.config("on request_headers:\n  quiet memory_grow(10000)\n  quiet memory_grow(10000)");
        config.vm.limits.memory_bytes = 64 << 20;
        let handle = world.plugin(config);
        begin(&handle).context.on_request_headers(true);
        let log: Vec<_> = world.log.take().into_iter().map(|(_, line)| line).collect();
        let told = "plugin \"my_plugin\" (root_id \"my_root\", vm_id \"my_vm\") has reached the limit memory_bytes of 67108864 in \
                    proxy_on_request_headers: more is refused";
        assert_eq!(log, [told]);
        assert_eq!(world.stat("wasm.limit_exceeded.memory_bytes"), Some(Stat::Counter(1)));
    }
}
