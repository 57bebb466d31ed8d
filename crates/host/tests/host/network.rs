//! A plugin in a TCP connection.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use sandgate_attributes::{AttributeSource, Declaration, StateValue};
use sandgate_host::{
    ClosePeer, FailurePolicy, NetworkContext, NetworkOutcome, NetworkSide, NetworkStatus, NetworkStream, PluginHandle,
};

use crate::any_order::Random;
use crate::on_every_engine;
use crate::world::{Runtime, WASM, World};

on_every_engine! {
    callbacks_come_in_order
    nothing_is_shown_before_the_beginning
    data_can_be_changed
    stopped_data_stays_in_reach
    another_callback_continues
    a_close_is_asked_for_after_the_callback
    properties_are_the_connections
    headers_are_those_of_no_stream
    a_trap_closes_once
    connections_that_wait_do_not_hang
    the_old_fail_open_lets_data_pass
    policies
    a_context_that_is_dropped_is_told_of_the_end
}

#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Continue,
    Close(String),
}

/// A connection without a network.
#[derive(Default)]
struct MockConnection {
    asked: RefCell<Vec<Asked>>,
    kept: RefCell<BytesMut>,
    keeps: Cell<bool>,
    state: RefCell<HashMap<Vec<u8>, Bytes>>,
}

impl MockConnection {
    fn asked(&self) -> Vec<Asked> {
        self.asked.take()
    }
}

impl AttributeSource for MockConnection {
    fn connection_id(&self) -> Option<u64> {
        Some(7)
    }

    fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
        self.state.borrow().get(key).cloned().map(StateValue::Bytes)
    }
}

impl NetworkStream for MockConnection {
    fn stopped_data(&self, side: NetworkSide) -> Option<RefMut<'_, BytesMut>> {
        (side == NetworkSide::Downstream && self.keeps.get()).then(|| self.kept.borrow_mut())
    }

    fn continue_reading(&self) {
        self.asked.borrow_mut().push(Asked::Continue);
    }

    fn close(&self, details: &str) {
        self.asked.borrow_mut().push(Asked::Close(details.to_owned()));
    }

    fn set_property(&self, key: &[u8], value: Bytes, _: &Declaration) -> bool {
        self.state.borrow_mut().insert(key.to_vec(), value);
        true
    }
}

fn begin(handle: &PluginHandle) -> (Rc<MockConnection>, NetworkContext) {
    let connection = Rc::new(MockConnection::default());
    let stream: Rc<dyn NetworkStream> = Rc::<MockConnection>::clone(&connection);
    match handle.create_network_context(&stream) {
        NetworkOutcome::Context(context) => (connection, context),
        other => panic!("{other:?}"),
    }
}

fn close(details: &str) -> Asked {
    Asked::Close(details.to_owned())
}

fn callbacks_come_in_order(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace\n");
    let (connection, context) = begin(&handle);
    assert_eq!(context.on_new_connection(), NetworkStatus::Continue);
    let mut data = BytesMut::from("ping");
    assert_eq!(context.on_downstream_data(&mut data, false), NetworkStatus::Continue);
    assert_eq!(context.on_upstream_data(&mut BytesMut::from("x"), true), NetworkStatus::Continue);
    context.on_close(ClosePeer::Remote);
    context.on_close(ClosePeer::Local);
    assert_eq!(data, "ping");
    let expected = [
        "> context_create(2, 1)",
        "> new_connection(2)",
        "> downstream_data(2, 4, 0)",
        "> upstream_data(2, 1, 1)",
        "> upstream_connection_close(2, 0)",
        "> downstream_connection_close(2, 2)",
        "> done(2)",
        "> log(2)",
        "> delete(2)",
    ];
    assert_eq!(world.said(), expected);
    assert_eq!(connection.asked(), []);
    assert_eq!(world.worker.context_count(), 1);
}

fn nothing_is_shown_before_the_beginning(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace\non any:\n  return 1\n");
    let (_connection, context) = begin(&handle);
    assert_eq!(context.on_downstream_data(&mut BytesMut::from("ping"), false), NetworkStatus::Continue);
    assert_eq!(context.on_upstream_data(&mut BytesMut::from("ping"), true), NetworkStatus::Continue);
    context.on_close(ClosePeer::Remote);
    assert_eq!(world.said(), [""; 0]);
    assert_eq!(world.worker.context_count(), 1);
}

fn data_can_be_changed(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(concat!(
        "on downstream_data:\n",
        "  set_buffer_bytes(2, 0, 3, \"ABC\")\n",
        "  set_buffer_bytes(2, 0, 0, \"<\")\n",
        "  set_buffer_bytes(2, 100, 0, \">\")\n",
        "  set_buffer_bytes(2, 3, 1, \"x\")\n",
        "  set_buffer_bytes(2, 0, 2, \"\")\n",
        "  get_buffer_bytes(2, 1, 2)\n",
        "  get_buffer_bytes(2, 50, 2)\n",
        "  get_buffer_status(2)\n",
        "  set_buffer_bytes(3, 0, 0, \"y\")\n",
    ));
    let (_connection, context) = begin(&handle);
    context.on_new_connection();
    let mut data = BytesMut::from("abcdef");
    context.on_downstream_data(&mut data, false);
    assert_eq!(data, "BCdef>");
    let said = world.said();
    let statuses: Vec<_> = said.iter().map(|line| line.split(" = ").nth(1).unwrap()).collect();
    assert_eq!(statuses, ["0", "0", "0", "2", "0", "0 \"Cd\"", "0 \"\"", "0 6 0", "2"]);
}

fn stopped_data_stays_in_reach(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(concat!(
        "on configure:\n  set_tick_period_milliseconds(10)\n",
        "on downstream_data when $size < 6:\n  return 1\n",
        "on tick:\n",
        "  set_effective_context($stream)\n",
        "  get_buffer_bytes(2, 0, 100)\n",
        "  set_buffer_bytes(2, 0, 1, \"P\")\n",
    ));
    let (connection, context) = begin(&handle);
    context.on_new_connection();
    world.pass(10);
    let mut data = BytesMut::from("ping");
    assert_eq!(context.on_downstream_data(&mut data, false), NetworkStatus::Stop);
    connection.keeps.set(true);
    connection.kept.replace(data);
    world.pass(20);
    let mut data = connection.kept.take();
    data.extend_from_slice(b"!!");
    assert_eq!(context.on_downstream_data(&mut data, false), NetworkStatus::Continue);
    assert_eq!(data, "Ping!!");
    world.pass(20);
    let said: Vec<_> = world.said().into_iter().filter(|line| line.contains("_buffer_")).collect();
    let statuses: Vec<_> = said.iter().map(|line| line.split(" = ").nth(1).unwrap()).collect();
    assert_eq!(statuses, ["0 \"\"", "2", "0 \"ping\"", "0", "0 \"\"", "2"]);
}

fn another_callback_continues(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(concat!(
        "on configure:\n  set_tick_period_milliseconds(10)\n",
        "on new_connection:\n  return 1\n",
        "on tick:\n",
        "  continue_stream(2)\n",
        "  set_effective_context($stream)\n",
        "  continue_stream(2)\n",
        "  continue_stream(3)\n",
        "  continue_stream(0)\n",
    ));
    let (connection, context) = begin(&handle);
    assert_eq!(context.on_new_connection(), NetworkStatus::Stop);
    world.log.take();
    world.pass(10);
    let said = world.said();
    let statuses: Vec<_> = said.iter().map(|line| line.split(" = ").nth(1).unwrap()).collect();
    assert_eq!(statuses, ["0", "0", "0", "12", "0"]);
    assert_eq!(connection.asked(), [Asked::Continue]);
}

fn a_close_is_asked_for_after_the_callback(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on new_connection:\n  close_stream(3)\n  close_stream(2)\n  close_stream(0)\non downstream_connection_close, delete:\n  close_stream(2)\n");
    let (connection, context) = begin(&handle);
    assert_eq!(context.on_new_connection(), NetworkStatus::Continue);
    assert_eq!(connection.asked(), [close("wasm_upstream_close"), close("wasm_downstream_close")]);
    context.on_close(ClosePeer::Local);
    assert_eq!(connection.asked(), []);
}

fn properties_are_the_connections(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(concat!(
        "on new_connection:\n",
        "  get_property([\"connection_id\"]) as int\n",
        "  set_property([\"a\"], \"1\")\n",
        "  get_property([\"plugin_name\"])\n",
        "  get_property([\"request\", \"path\"])\n",
        "on log:\n",
        "  get_property([\"a\"])\n",
    ));
    let (connection, context) = begin(&handle);
    context.on_new_connection();
    context.on_close(ClosePeer::Local);
    let said = world.said();
    let statuses: Vec<_> = said.iter().map(|line| line.split(" = ").nth(1).unwrap()).collect();
    assert_eq!(statuses, ["0 7", "0", "0 \"my_plugin\"", "1", "0 \"1\""]);
    assert_eq!(connection.state.borrow()[b"wasm.a".as_slice()], "1");
}

fn headers_are_those_of_no_stream(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(concat!(
        "on new_connection, log:\n",
        "  get_header_map_value(0, \":path\")\n",
        "  get_header_map_pairs(0)\n",
        "  add_header_map_value(2, \"a\", \"b\")\n",
        "  get_buffer_bytes(0, 0, 1)\n",
        "  send_local_response(403, \"\", \"\", {}, -1)\n",
    ));
    let (connection, context) = begin(&handle);
    assert_eq!(context.on_new_connection(), NetworkStatus::Continue);
    context.on_close(ClosePeer::Local);
    let said = world.said();
    let statuses: Vec<_> = said.iter().map(|line| line.split(" = ").nth(1).unwrap()).collect();
    assert_eq!(statuses, [["2", "0 {}", "2", "0 \"\"", "0"]; 2].concat());
    assert_eq!(connection.asked(), []);
}

const TRAP_ON_BAD: &str = "on downstream_data when $size == 3:\n  trap unreachable\non downstream_data:\n  return 1\n";

fn a_trap_closes_once(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let (connection, context) = begin(&handle);
    context.on_new_connection();
    assert_eq!(context.on_downstream_data(&mut BytesMut::from("bad"), false), NetworkStatus::Stop);
    assert_eq!(connection.asked(), [close("")]);
    assert_eq!(context.on_upstream_data(&mut BytesMut::from("x"), false), NetworkStatus::Stop);
    context.on_close(ClosePeer::Local);
    assert_eq!(connection.asked(), []);
    assert_eq!(world.worker.context_count(), 0);
}

fn connections_that_wait_do_not_hang(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(TRAP_ON_BAD);
    let (waiting, context) = begin(&handle);
    context.on_new_connection();
    assert_eq!(context.on_downstream_data(&mut BytesMut::from("good"), false), NetworkStatus::Stop);
    let (idle, idle_context) = begin(&handle);
    idle_context.on_new_connection();
    let (_bad, bad_context) = begin(&handle);
    bad_context.on_new_connection();
    bad_context.on_downstream_data(&mut BytesMut::from("bad"), false);
    assert_eq!(waiting.asked(), [close("")]);
    assert_eq!(idle.asked(), []);
    assert_eq!(idle_context.on_downstream_data(&mut BytesMut::from("good"), false), NetworkStatus::Stop);
    assert_eq!(idle.asked(), [close("")]);
}

fn the_old_fail_open_lets_data_pass(runtime: &Runtime) {
    let world = World::new(runtime);
    let mut config = world.config(TRAP_ON_BAD);
    config.legacy_fail_open = true;
    let handle = world.plugin(config);
    let (waiting, waiting_context) = begin(&handle);
    waiting_context.on_new_connection();
    waiting_context.on_downstream_data(&mut BytesMut::from("good"), false);
    let (connection, context) = begin(&handle);
    context.on_new_connection();
    assert_eq!(context.on_downstream_data(&mut BytesMut::from("bad"), false), NetworkStatus::Continue);
    assert_eq!(context.on_upstream_data(&mut BytesMut::from("x"), false), NetworkStatus::Continue);
    assert_eq!(connection.asked(), []);
    assert_eq!(waiting.asked(), [Asked::Continue]);
}

fn policies(runtime: &Runtime) {
    for (policy, open) in [(FailurePolicy::FailClosed, false), (FailurePolicy::FailOpen, true)] {
        let world = World::new(runtime);
        let mut config = world.config(TRAP_ON_BAD);
        config.failure_policy = policy;
        let handle = world.plugin(config);
        let (connection, context) = begin(&handle);
        context.on_new_connection();
        context.on_downstream_data(&mut BytesMut::from("bad"), false);
        // The connection that was under way ends in any case (as in Envoy).
        assert_eq!(connection.asked(), [close("")]);
        let stream: Rc<dyn NetworkStream> = connection;
        let next = handle.create_network_context(&stream);
        assert_eq!(matches!(next, NetworkOutcome::Bypass), open);
        assert_eq!(matches!(next, NetworkOutcome::FailClosed), !open);
    }
}

fn a_context_that_is_dropped_is_told_of_the_end(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace\n");
    let (_connection, context) = begin(&handle);
    context.on_new_connection();
    world.log.take();
    drop(context);
    assert_eq!(world.said(), ["> downstream_connection_close(2, 1)", "> done(2)", "> log(2)", "> delete(2)"]);
    assert_eq!(world.worker.context_count(), 1);
}

/// What was said and asked in two connections that overlap.
fn story(runtime: &Runtime, script: &str) -> (Vec<String>, [Vec<Asked>; 2], usize) {
    let world = World::new(runtime);
    let handle = world.script(script);
    let (first, first_context) = begin(&handle);
    let (second, second_context) = begin(&handle);
    first_context.on_new_connection();
    second_context.on_new_connection();
    for (piece, end) in [("abc", false), ("de", false), ("", true)] {
        let mut data = first.kept.take();
        data.extend_from_slice(piece.as_bytes());
        if first_context.on_downstream_data(&mut data, end) == NetworkStatus::Stop {
            first.keeps.set(true);
            first.kept.replace(data);
        }
        world.pass(5);
        second_context.on_upstream_data(&mut BytesMut::from(piece), end);
        world.worker.drain();
    }
    first_context.on_close(ClosePeer::Remote);
    world.pass(5);
    drop(second_context);
    let asked = [first.asked(), second.asked()];
    drop((first_context, handle));
    (world.said(), asked, world.worker.context_count())
}

#[test]
fn all_engines_tell_the_same_story() {
    let callbacks = [
        "context_create",
        "configure",
        "tick",
        "new_connection",
        "downstream_data",
        "upstream_data",
        "downstream_connection_close",
        "upstream_connection_close",
        "log",
        "done",
        "delete",
        "queue_ready",
        "grpc_close",
    ];
    let mut random = Random(2);
    let mut lines = 0;
    for number in 0..150 {
        let script = random.script_of(&callbacks);
        let native = story(&Runtime::Native, &script);
        for runtime in WASM {
            assert_eq!(story(runtime, &script), native, "script {number} on {runtime:?}:\n{script}");
        }
        assert_eq!(native.2, 0);
        lines += native.0.len();
    }
    assert!(lines > 150 * 20, "the scripts do next to nothing: {lines} lines");
}
