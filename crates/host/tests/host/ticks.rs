//! Timers.

use crate::on_every_engine;
use crate::world::{Runtime, World, begin};

on_every_engine! {
    ticks_come_on_time_until_stopped
    a_stream_sets_its_roots_timer
    a_trial_vm_never_ticks
    a_root_that_waits_still_ticks
    a_root_that_is_gone_hears_nothing
}

fn ticks_come_on_time_until_stopped(runtime: &Runtime) {
    let world = World::new(runtime);
    let changes = world.clock.changes.get();
    let _handle = world.script(
        "on configure:\n  quiet set_tick_period_milliseconds(100)\n\
         on tick:\n  say \"tick \" + $nth\n  if $nth == 2: set_tick_period_milliseconds(30)\n  if $nth == 3: set_tick_period_milliseconds(0)",
    );
    assert!(world.clock.changes.get() > changes);
    assert_eq!(world.worker.next_deadline(), Some(100_000_000));
    world.pass(99);
    assert_eq!(world.said(), [""; 0]);
    world.pass(1);
    assert_eq!(world.said(), ["tick: tick 1"]);
    // Late by 50: the next period begins when the tick has returned, and nothing is made up for.
    world.pass(150);
    assert_eq!(world.said()[0], "tick: tick 2");
    assert_eq!(world.worker.next_deadline(), Some(280_000_000));
    world.pass(30);
    assert_eq!(world.said()[0], "tick: tick 3");
    assert_eq!(world.worker.next_deadline(), None);
}

fn a_stream_sets_its_roots_timer(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace\non request_headers:\n  set_tick_period_milliseconds(7)");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    drop(exchange);
    world.log.take();
    world.pass(7);
    assert_eq!(world.said(), ["> tick(1)"]);
    drop(handle);
    assert_eq!(world.worker.next_deadline(), None);
}

fn a_trial_vm_never_ticks(runtime: &Runtime) {
    let world = World::new(runtime);
    let plugin = world.load(world.config("on configure:\n  set_tick_period_milliseconds(1)")).unwrap();
    assert_eq!(world.worker.next_deadline(), None);
    let _handle = world.worker.plugin_handle(&plugin).unwrap();
    assert_eq!(world.worker.next_deadline(), Some(1_000_000));
}

fn a_root_that_waits_still_ticks(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "trace\non configure:\n  quiet set_tick_period_milliseconds(5)\non done:\n  return 0\non tick when $nth == 2:\n  done()",
    );
    let mut other = world.config("");
    other.name = "keeps the VM".into();
    let _other = world.plugin(other);
    drop(handle);
    world.pass(5);
    world.pass(5);
    world.pass(5);
    assert_eq!(world.said(), ["> done(1)", "> tick(1)", "> tick(1)", "tick: done() = 0", "> delete(1)"]);
}

fn a_root_that_is_gone_hears_nothing(runtime: &Runtime) {
    let world = World::new(runtime);
    // Its end asks for a callback, and the tick of the other root, due at the same time and earlier, ends it.
    let mut config = world.config(
        "on configure:\n  quiet set_tick_period_milliseconds(5)\non tick:\n  quiet set_effective_context(2)\n  done()",
    );
    config.name = "first".into();
    let _first = world.plugin(config);
    let second = world.script(
        "trace\non configure:\n  quiet set_tick_period_milliseconds(5)\non done:\n  return 0\n\
         on delete:\n  grpc_call(\"\\x0a\\x06\\x0a\\x04nope\", \"s\", \"m\", {}, \"\", 0) as status",
    );
    drop(second);
    assert_eq!(world.said(), ["> done(2)"]);
    world.pass(5);
    let said = world.said();
    assert_eq!(said[..2], ["tick: done() = 0", "> delete(2)"]);
    assert!(said[2].ends_with(" = 10"));
    assert_eq!(said.len(), 3, "{said:?}");
}
