//! Promises that hold whatever guests do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use sandgate_abi::{Callback, CallbackKind, CallbackSet};
use sandgate_host::{ContextOutcome, Host, HostCalls, HttpContext, HttpStream, NativeEngine, PluginConfig, WorkerHost};

use crate::on_every_engine;
use crate::stream::MockStream;
use crate::world::{Clock, Log, Runtime, World, begin};

on_every_engine! {
    ids_of_living_contexts_differ
    no_stream_is_kept_alive_by_its_context
    actions_of_one_call_are_bounded
    callbacks_of_one_call_are_bounded
}

fn ids_of_living_contexts_differ(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("");
    let mut living = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for round in 0..300 {
        let exchange = begin(&handle);
        exchange.context.on_request_headers(true);
        assert!(seen.insert(exchange.context.id()));
        if round % 3 == 0 {
            living.push(exchange);
        }
    }
    assert_eq!(world.worker.context_count(), 101);
}

fn no_stream_is_kept_alive_by_its_context(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on request_headers:\n  return 1");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    let stream = Rc::downgrade(&exchange.stream);
    let crate::world::Exchange { stream: strong, context } = exchange;
    drop(strong);
    assert!(stream.upgrade().is_none());
    context.on_log();
    context.on_destroy();
}

fn actions_of_one_call_are_bounded(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on request_headers:\n  times 10500: quiet continue_stream(1)");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(exchange.stream.asked().len(), 10_000);
    assert!(world.log.take().iter().any(|(_, line)| line.contains("asked for more than 10000 actions")));
}

fn callbacks_of_one_call_are_bounded(runtime: &Runtime) {
    let world = World::new(runtime);
    let call = "quiet grpc_call(\"\\x0a\\x06\\x0a\\x04nope\", \"s\", \"m\", {}, \"\", 0)";
    let handle = world.script(&format!("on request_headers:\n  {call}\non grpc_close:\n  say $nth\n  {call}"));
    begin(&handle).context.on_request_headers(true);
    assert_eq!(world.said().last().unwrap(), "grpc_close: 100");
}

thread_local! {
    /// A context of another stream, and whether the guest is running.
    static INTRUDER: RefCell<Option<HttpContext>> = const { RefCell::new(None) };
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static DEEPEST: Cell<u32> = const { Cell::new(0) };
}

/// Even an embedder that calls back into the host from within a guest does not enter the guest twice.
#[test]
fn the_guest_is_never_entered_twice() {
    let guest = |_: &dyn HostCalls, callback: Callback| {
        INSIDE.set(INSIDE.get() + 1);
        DEEPEST.set(DEEPEST.get().max(INSIDE.get()));
        if let Callback::RequestHeaders { .. } = callback {
            INTRUDER.with_borrow(|intruder| {
                if let Some(intruder) = intruder {
                    intruder.on_request_headers(true);
                    intruder.on_log();
                    intruder.on_destroy();
                }
            });
        }
        INSIDE.set(INSIDE.get() - 1);
        Some(u32::from(matches!(
            callback,
            Callback::VmStart { .. } | Callback::Configure { .. } | Callback::Done { .. }
        )))
    };
    let mut callbacks = CallbackSet::default();
    CallbackKind::ALL.iter().for_each(|kind| callbacks.insert(*kind));
    let engine = NativeEngine::new().with_plugin("guest", callbacks, move || guest);
    let log = Arc::new(Log::default());
    let host = Host::builder(Arc::clone(&log) as _).engine(Arc::new(engine)).build();
    let env: Rc<Clock> = Rc::default();
    let worker = WorkerHost::new(Arc::clone(&host), Rc::clone(&env) as _);
    let mut config = PluginConfig::default();
    config.vm.runtime = NativeEngine::NAME.into();
    config.vm.code = "guest".into();
    let plugin = host.load(Arc::new(config), env).unwrap();
    let handle = worker.plugin_handle(&plugin).unwrap();
    let make = || {
        let stream: Rc<dyn HttpStream> = Rc::new(MockStream::get("/"));
        let ContextOutcome::Context(context) = handle.create_context(Rc::clone(&stream)) else { panic!() };
        (context, stream)
    };
    let (outer, _stream) = make();
    let (inner, _other) = make();
    INTRUDER.set(Some(inner));
    outer.on_request_headers(true);
    assert_eq!(DEEPEST.get(), 1);
    assert!(log.take().iter().any(|(_, line)| line.contains("is running already")));
    INTRUDER.set(None);
}
