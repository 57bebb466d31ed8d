//! What begins, ends: VMs, contexts, timers and queues, across updates, reloads and the end.

use std::rc::Rc;

use sandgate_host::{ContextOutcome, FailurePolicy, PluginHandle, Stat};
use sandgate_http::HeadersStatus;

use crate::on_every_engine;
use crate::stream::MockStream;
use crate::world::{Runtime, World, begin, begin_with, outcome};

on_every_engine! {
    updates_leave_nothing_behind
    reloads_leave_nothing_behind
    a_root_that_is_not_done_is_waited_for
    nobody_waits_at_the_end
    a_trap_ends_the_wait
    a_plugin_that_failed_on_the_worker_obeys_its_policy
    old_and_new_root_live_side_by_side
}

fn vms(world: &World) -> u64 {
    match world.stat("wasm.wasm_vm_count") {
        Some(Stat::Gauge(count)) => count,
        other => panic!("{other:?}"),
    }
}

fn pass_through(handle: &PluginHandle) {
    let exchange = begin(handle);
    assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::Continue);
    exchange.end();
}

fn updates_leave_nothing_behind(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut old = None;
    for generation in 0..20 {
        let script = format!(
            "on configure:\n  quiet set_tick_period_milliseconds(5)\n  quiet register_shared_queue(\"q\")\n\
             on request_headers:\n  say {generation}"
        );
        let handle = world.script(&script);
        pass_through(&handle);
        world.pass(5);
        // The old root context goes with its handle, the VM stays.
        old = Some(handle);
        assert_eq!((vms(&world), world.worker.context_count()), (2, 1));
        assert_eq!(world.host.report().len(), 1);
    }
    assert!(world.worker.next_deadline().is_some());
    drop(old);
    assert_eq!((vms(&world), world.worker.context_count()), (0, 0));
    assert_eq!(world.worker.next_deadline(), None);
    assert_eq!(world.host.report(), []);
    // Nor is there a queue of that vm_id any more.
    let asking = world.script("on request_headers:\n  resolve_shared_queue(\"\", \"q\")");
    world.said();
    pass_through(&asking);
    assert!(world.said().iter().any(|line| line.ends_with("resolve_shared_queue(\"\", \"q\") = 1")));
}

fn reloads_leave_nothing_behind(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config(
        "on configure:\n  quiet set_tick_period_milliseconds(60000)\non request_headers when $path == \"/bad\":\n  trap unreachable\n\
         on request_headers when $path == \"/wait\":\n  return 1",
    );
    config.failure_policy = FailurePolicy::FailReload;
    let handle = world.plugin(config);
    for _ in 0..50 {
        world.pass(1600);
        let waiting = begin_with(&handle, MockStream::get("/wait"));
        waiting.context.on_request_headers(true);
        let bad = begin_with(&handle, MockStream::get("/bad"));
        bad.context.on_request_headers(true);
        assert_eq!((waiting.stream.replies().len(), bad.stream.replies().len()), (1, 1));
        pass_through(&handle);
        // The old VM is kept by its streams alone.
        waiting.end();
        bad.end();
        drop((waiting, bad));
        assert_eq!((vms(&world), world.worker.context_count()), (2, 1));
    }
    assert_eq!(world.stat("wasm.my_plugin.vm_reload_success"), Some(Stat::Counter(50)));
    drop(handle);
    assert_eq!((vms(&world), world.worker.context_count()), (0, 0));
    assert_eq!(world.worker.next_deadline(), None);
}

const NOT_DONE: &str = "on configure:\n  quiet set_tick_period_milliseconds(5)\non done when $context == $root:\n  say \"not yet\"\n  return 0\n\
                        on tick when $nth == 2:\n  done()\n  done()\non delete:\n  say \"deleted\"";

fn a_root_that_is_not_done_is_waited_for(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(NOT_DONE);
    drop(handle);
    assert_eq!(world.said(), ["done: not yet"]);
    assert_eq!(world.worker.context_count(), 1);
    world.pass(5);
    assert_eq!(world.said(), [""; 0]);
    world.pass(5);
    assert_eq!(world.said(), ["tick: done() = 0", "tick: done() = 1", "delete: deleted"]);
    assert_eq!((vms(&world), world.worker.context_count()), (0, 0));
    assert_eq!(world.worker.next_deadline(), None);
}

fn nobody_waits_at_the_end(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(NOT_DONE);
    world.worker.shutdown(&[]);
    assert_eq!(world.said(), ["done: not yet"]);
    drop(handle);
    assert_eq!(vms(&world), 0);
}

fn a_trap_ends_the_wait(runtime: &Runtime) {
    let world = World::new(runtime);
    let script =
        "on configure:\n  quiet set_tick_period_milliseconds(5)\non done:\n  return 0\non tick:\n  trap unreachable";
    drop(world.script(script));
    assert_eq!(world.worker.context_count(), 1);
    world.pass(5);
    assert_eq!((vms(&world), world.worker.context_count()), (0, 0));
}

fn a_plugin_that_failed_on_the_worker_obeys_its_policy(runtime: &Runtime) {
    let script = "on configure:\n  $c = define_metric(0, \"starts\")\n  increment_metric($c, 1)\n  $n = get_metric($c)\n  if $n == 2: return 0";
    for (policy, legacy) in [
        (FailurePolicy::FailClosed, false),
        (FailurePolicy::FailClosed, true),
        (FailurePolicy::FailOpen, false),
        (FailurePolicy::FailReload, false),
    ] {
        let world = World::new(runtime);
        let mut config = world.config(script);
        (config.failure_policy, config.legacy_fail_open) = (policy, legacy);
        let plugin = world.host.load(config.into(), world.clock.clone()).unwrap();
        let handle = world.worker.plugin_handle_by_policy(&plugin);
        let stream = Rc::new(MockStream::get("/"));
        match (outcome(&handle, &stream), policy) {
            (ContextOutcome::FailClosed, FailurePolicy::FailClosed) if !legacy => {}
            (ContextOutcome::Bypass, _) if legacy || policy == FailurePolicy::FailOpen => {}
            (ContextOutcome::FailClosed, FailurePolicy::FailReload) => {
                world.pass(1500);
                pass_through(&handle);
                assert_eq!(world.stat("wasm.my_plugin.vm_reload_success"), Some(Stat::Counter(1)));
            }
            (other, _) => panic!("{policy:?} {legacy}: {other:?}"),
        }
    }
}

/// As when a listener is replaced: its streams go on with the plugin that they began with.
fn old_and_new_root_live_side_by_side(runtime: &Runtime) {
    let world = World::new(runtime);
    let old = world
        .script("on request_headers, response_headers:\n  say \"old\"\non done when $context == $root:\n  say \"bye\"");
    let exchange = begin(&old);
    exchange.context.on_request_headers(true);
    let new = world.script("on request_headers:\n  say \"new\"");
    drop(old);
    world.said();
    // The stream keeps the old root context.
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    pass_through(&new);
    assert_eq!(world.said(), ["response_headers: old", "request_headers: new"]);
    exchange.end();
    drop(exchange);
    assert_eq!(world.said(), ["done: bye"]);
    assert_eq!((vms(&world), world.worker.context_count()), (2, 1));
    drop(new);
}
