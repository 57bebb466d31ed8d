//! What becomes of streams when a VM dies.

use sandgate_abi::LogLevel;
use sandgate_host::{ContextOutcome, FailurePolicy, PluginConfig, Stat, fail_stream_reply};
use sandgate_http::{DataStatus, Direction, HeadersStatus, TrailersStatus};

use crate::on_every_engine;
use crate::stream::{Asked, MockStream, body};
use crate::world::{Runtime, World, begin, outcome};

on_every_engine! {
    a_trap_fails_its_stream_once
    a_trap_is_logged_with_the_plugins_name
    waiting_streams_do_not_hang
    streams_that_do_not_wait_fail_at_their_next_callback
    a_stream_that_was_made_and_not_shown_yet_fails
    answered_streams_are_left_alone
    a_stream_that_stops_its_own_answer_does_not_hang
    policy_closed
    policy_open
    the_old_fail_open_lets_everything_pass
    a_failed_vm_is_made_anew
    reloading_waits_its_turn
    traps_in_log_done_and_tick_kill_the_vm
    what_a_trapped_call_asked_for_is_not_done
}

const TRAP_ON_BAD: &str = "trace\non request_headers when $path == \"/bad\":\n  trap unreachable\non request_headers when $path == \"/wait\":\n  return 1\n";

fn bad() -> MockStream {
    MockStream::get("/bad")
}

fn failing(world: &World, config: PluginConfig) -> std::rc::Rc<sandgate_host::PluginHandle> {
    let handle = world.plugin(config);
    let exchange = crate::world::begin_with(&handle, bad());
    exchange.context.on_request_headers(true);
    world.log.take();
    handle
}

fn a_trap_fails_its_stream_once(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let exchange = crate::world::begin_with(&handle, bad());
    assert_eq!(exchange.context.on_request_headers(false), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(exchange.stream.asked(), [Asked::Reply(fail_stream_reply())]);
    world.log.take();
    // The guest is not entered again; the stream's own 503 passes.
    assert_eq!(exchange.context.on_request_body(&mut body("x"), false), DataStatus::StopIterationNoBuffer);
    assert_eq!(exchange.context.on_request_trailers(), TrailersStatus::StopIteration);
    exchange.respond(&[(":status", "503")]);
    assert_eq!(exchange.context.on_response_headers(false), HeadersStatus::Continue);
    assert_eq!(exchange.context.on_response_body(&mut body("x"), true), DataStatus::Continue);
    exchange.end();
    assert_eq!(world.log.take(), []);
    assert_eq!(exchange.stream.asked().len(), 1);
    assert_eq!(world.worker.context_count(), 0);
}

fn a_trap_is_logged_with_the_plugins_name(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let exchange = crate::world::begin_with(&handle, bad());
    exchange.context.on_request_headers(false);
    let lines = world.log.take();
    let (level, line) = lines.last().unwrap();
    assert_eq!(*level, LogLevel::Error);
    assert!(line.starts_with("Function: proxy_on_request_headers failed: "), "{line}");
    assert!(line.contains("plugin \"my_plugin\", root_id \"my_root\", vm_id \"my_vm\""), "{line}");
}

fn waiting_streams_do_not_hang(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let waiting = crate::world::begin_with(&handle, MockStream::get("/wait"));
    assert_eq!(waiting.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    let other = begin(&handle);
    other.context.on_request_headers(false);
    assert_eq!(waiting.stream.asked(), []);
    let exchange = crate::world::begin_with(&handle, bad());
    exchange.context.on_request_headers(true);
    assert_eq!(waiting.stream.asked(), [Asked::Reply(fail_stream_reply())]);
    assert_eq!(other.stream.asked(), []);
}

fn streams_that_do_not_wait_fail_at_their_next_callback(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let other = begin(&handle);
    other.context.on_request_headers(false);
    crate::world::begin_with(&handle, bad()).context.on_request_headers(true);
    other.respond(&[(":status", "200")]);
    assert_eq!(other.context.on_response_headers(false), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(other.stream.asked(), [Asked::Reply(fail_stream_reply())]);
}

fn a_stream_that_was_made_and_not_shown_yet_fails(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let late = begin(&handle);
    crate::world::begin_with(&handle, bad()).context.on_request_headers(true);
    world.log.take();
    assert_eq!(late.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(late.stream.asked(), [Asked::Reply(fail_stream_reply())]);
    late.end();
    assert_eq!(world.log.take(), []);
}

/// What was answered already does not wait for the plugin.
fn answered_streams_are_left_alone(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(&format!(
        "{TRAP_ON_BAD}on request_headers when $path == \"/reply\":\n  send_local_response(403, \"\", \"\", {{}}, -1)"
    ));
    let replied = crate::world::begin_with(&handle, MockStream::get("/reply"));
    replied.context.on_request_headers(true);
    let answered = crate::world::begin_with(&handle, MockStream::get("/wait"));
    answered.context.on_request_headers(false);
    answered.respond(&[(":status", "408")]);
    assert_eq!(answered.context.on_response_headers(true), HeadersStatus::Continue);
    crate::world::begin_with(&handle, bad()).context.on_request_headers(true);
    assert_eq!(replied.stream.replies().len(), 1);
    assert_eq!(answered.stream.asked(), []);
}

/// A guest that answers a stream may stop that answer as any other; then it waits for the guest again.
fn a_stream_that_stops_its_own_answer_does_not_hang(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(&format!(
        "{TRAP_ON_BAD}on request_headers when $path == \"/reply\":\n  send_local_response(403, \"\", \"\", {{}}, -1)\n\
         on response_headers:\n  return 1"
    ));
    let replied = crate::world::begin_with(&handle, MockStream::get("/reply"));
    replied.context.on_request_headers(true);
    replied.respond(&[(":status", "403")]);
    assert_eq!(replied.context.on_response_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    crate::world::begin_with(&handle, bad()).context.on_request_headers(true);
    assert_eq!(replied.stream.replies().last(), Some(&fail_stream_reply()));
}

fn policy_closed(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = failing(&world, world.config(TRAP_ON_BAD));
    assert!(matches!(outcome(&handle, &std::rc::Rc::new(bad())), ContextOutcome::FailClosed));
    let failed = world.worker.failed_plugin_handle(handle.plugin());
    assert!(matches!(outcome(&failed, &std::rc::Rc::new(bad())), ContextOutcome::FailClosed));
}

fn policy_open(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config(TRAP_ON_BAD);
    config.failure_policy = FailurePolicy::FailOpen;
    let handle = world.plugin(config);
    let exchange = crate::world::begin_with(&handle, bad());
    // The stream that traps fails all the same.
    assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(exchange.stream.asked(), [Asked::Reply(fail_stream_reply())]);
    assert!(matches!(outcome(&handle, &std::rc::Rc::new(bad())), ContextOutcome::Bypass));
}

fn the_old_fail_open_lets_everything_pass(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config(TRAP_ON_BAD);
    config.legacy_fail_open = true;
    let handle = world.plugin(config);
    let waiting = crate::world::begin_with(&handle, MockStream::get("/wait"));
    waiting.context.on_request_headers(true);
    let exchange = crate::world::begin_with(&handle, bad());
    assert_eq!(exchange.context.on_request_headers(false), HeadersStatus::Continue);
    assert_eq!(exchange.context.on_request_body(&mut body("x"), true), DataStatus::Continue);
    assert_eq!(exchange.context.on_response_headers(true), HeadersStatus::Continue);
    assert!(exchange.stream.replies().is_empty());
    assert_eq!(waiting.stream.asked(), [Asked::Resume(Direction::Request)]);
    assert!(matches!(outcome(&handle, &std::rc::Rc::new(bad())), ContextOutcome::Bypass));
}

fn reload_config(world: &World) -> PluginConfig {
    let mut config = world.config(TRAP_ON_BAD);
    config.failure_policy = FailurePolicy::FailReload;
    config
}

fn a_failed_vm_is_made_anew(runtime: &Runtime) {
    let world = World::new(runtime);
    world.clock.now.set(5_000_000_000);
    let handle = world.plugin(reload_config(&world));
    world.pass(1500);
    let exchange = crate::world::begin_with(&handle, bad());
    assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    let next = begin(&handle);
    assert_eq!(next.context.on_request_headers(true), HeadersStatus::Continue);
    assert_eq!(world.stat("wasm.my_plugin.vm_reload_success"), Some(Stat::Counter(1)));
    assert_eq!(world.stat("wasm.my_plugin.vm_reload_backoff"), Some(Stat::Counter(0)));
    assert_eq!(world.stat("wasm.my_plugin.vm_reload"), Some(Stat::Counter(0)));
    // Ids begin anew in the new VM; the old stream ends without the guest.
    assert_eq!(next.context.id(), 2);
    world.log.take();
    exchange.end();
    assert_eq!(world.said(), [""; 0]);
}

fn reloading_waits_its_turn(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = failing(&world, reload_config(&world));
    assert!(matches!(outcome(&handle, &std::rc::Rc::new(bad())), ContextOutcome::FailClosed));
    world.pass(999);
    assert!(matches!(outcome(&handle, &std::rc::Rc::new(bad())), ContextOutcome::FailClosed));
    assert_eq!(world.stat("wasm.my_plugin.vm_reload_backoff"), Some(Stat::Counter(2)));
    world.pass(501);
    assert!(matches!(outcome(&handle, &std::rc::Rc::new(bad())), ContextOutcome::Context(_)));
}

fn traps_in_log_done_and_tick_kill_the_vm(runtime: &Runtime) {
    let scripts = [
        "on log:\n  trap unreachable",
        "on done when $context != $root:\n  trap unreachable",
        "on delete when $context != $root:\n  trap unreachable",
        "on tick:\n  trap unreachable",
    ];
    for script in scripts {
        let world = World::new(runtime);
        let handle = world.script(&format!("on configure:\n  quiet set_tick_period_milliseconds(1)\n{script}"));
        let exchange = begin(&handle);
        exchange.context.on_request_headers(true);
        if script.contains("tick") {
            world.pass(1);
        }
        exchange.end();
        world.pass(1);
        assert!(!handle.is_alive(), "{script}");
        assert_eq!(exchange.stream.asked(), [], "{script}");
        assert_eq!(world.worker.next_deadline(), None, "{script}");
        assert_eq!(world.worker.context_count(), 0, "{script}");
        world.log.take();
        drop(handle);
        world.worker.shutdown(&[]);
        assert_eq!(world.log.take(), [], "{script}");
    }
}

fn what_a_trapped_call_asked_for_is_not_done(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  send_local_response(200, \"\", \"fine\", {}, -1)\n  continue_stream(0)\n  trap unreachable",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(exchange.stream.asked(), [Asked::Reply(fail_stream_reply())]);
}
