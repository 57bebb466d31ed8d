//! gRPC calls, against a client that only notes what is asked of it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use sandgate_host::{
    Callout, Callouts, DnsDone, GrpcCall, GrpcEnd, GrpcEvents, GrpcKind, GrpcRefusal, GrpcRequest, HostLimits,
    HttpCall, HttpCallDone, PluginHandle,
};

use crate::on_every_engine;
use crate::stream::{body, headers};
use crate::world::{Exchange, Runtime, World, begin};

on_every_engine! {
    a_unary_call_is_answered_once
    a_unary_call_fails_once
    a_stream_tells_everything_in_order
    what_is_cancelled_tells_no_more
    a_stream_lives_until_both_sides_have_closed_it
    tokens_count_by_kind
    a_refused_stream_is_told_after_the_callback
    calls_end_with_their_root
    calls_end_with_their_vm
    calls_are_bounded
    messages_that_wait_are_bounded
    statuses_are_of_a_root
}

/// Knows the target `cluster`, and a message that names a cluster that is not there.
#[derive(Default)]
pub(crate) struct MockGrpc {
    calls: RefCell<Vec<Weak<MockCall>>>,
}

struct MockCall {
    unary: bool,
    said: RefCell<Vec<String>>,
    queued: Cell<usize>,
    events: GrpcEvents,
}

struct Handle(Rc<MockCall>);

impl Callouts for MockGrpc {
    fn has_cluster(&self, _name: &[u8]) -> bool {
        false
    }

    fn http_call(&self, _cluster: &[u8], _call: HttpCall, _done: HttpCallDone) -> Option<Callout> {
        None
    }

    fn grpc_call(&self, request: &GrpcRequest<'_>, events: GrpcEvents) -> Result<Box<dyn GrpcCall>, GrpcRefusal> {
        let end = |trailers, message: &str| {
            Err(GrpcRefusal::Ended(GrpcEnd { trailers, status: 14, message: message.to_owned() }))
        };
        match request.target {
            b"cluster" => {}
            b"empty" => return end(Some(headers(&[("grpc-status", "14")])), "no healthy upstream"),
            b"" => return Err(GrpcRefusal::UnusableTarget),
            b"\x0a\x06\x0a\x04nope" => return end(None, "Cluster not available"),
            _ => return Err(GrpcRefusal::UnknownTarget),
        }
        let unary = request.kind != GrpcKind::Stream;
        let call = Rc::new(MockCall { unary, said: RefCell::default(), queued: Cell::new(0), events });
        self.calls.borrow_mut().push(Rc::downgrade(&call));
        Ok(Box::new(Handle(call)))
    }

    fn resolve_dns(&self, _: &[u8], _: DnsDone) -> Callout {
        Box::new(())
    }
}

impl GrpcCall for Handle {
    fn send(&self, message: &[u8], end: bool) {
        self.0.said.borrow_mut().push(format!("{} {end}", String::from_utf8_lossy(message)));
        self.0.queued.set(self.0.queued.get() + message.len());
    }

    fn half_close(&self) {
        self.0.said.borrow_mut().push("close".to_owned());
    }

    fn queued_bytes(&self) -> usize {
        self.0.queued.get()
    }
}

impl MockGrpc {
    /// The nth call, unless it was cancelled.
    fn call(&self, index: usize) -> Option<Rc<MockCall>> {
        self.calls.borrow()[index].upgrade()
    }

    /// Calls that were not cancelled.
    fn living(&self) -> usize {
        self.calls.borrow().iter().filter(|call| call.strong_count() > 0).count()
    }
}

fn start(world: &World, script: &str) -> (Rc<PluginHandle>, Exchange) {
    let handle = world.script(script);
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    (handle, exchange)
}

const CALL: &str = "on request_headers:\n  quiet grpc_call(\"cluster\", \"s\", \"m\", {}, \"q\", 0)\n";
const STREAM: &str = "on request_headers:\n  quiet grpc_stream(\"cluster\", \"s\", \"m\", {})\n";

fn a_unary_call_is_answered_once(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = format!(
        "{CALL}on grpc_receive:\n  say $token + \" \" + $size\n  get_buffer_bytes(5, 0, 10)\n  set_buffer_bytes(5, 0, 1, \"A\")\n  get_buffer_bytes(5, 0, 10)\n  get_buffer_status(5)\non grpc_close:\n  say \"close\""
    );
    let (_handle, _exchange) = start(&world, &script);
    let call = world.clock.grpc.call(0).unwrap();
    assert!(call.unary);
    call.events.message(body("answer"));
    call.events.message(body("again"));
    call.events.close(0, String::new());
    let said = world.said();
    assert_eq!(said[0], "grpc_receive: 5 6");
    assert!(said[1].ends_with("= 0 \"answer\"") && said[3].ends_with("= 0 \"Answer\""), "{said:?}");
    assert_eq!(said.len(), 5);
    drop(call);
    assert_eq!(world.clock.grpc.living(), 0);
}

fn a_unary_call_fails_once(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = format!(
        "{CALL}on grpc_close:\n  say $token + \" \" + $code\n  get_status()\non response_headers:\n  get_status()"
    );
    let (_handle, exchange) = start(&world, &script);
    let call = world.clock.grpc.call(0).unwrap();
    call.events.close(7, "no way".to_owned());
    assert!(!call.events.is_wanted());
    call.events.close(8, String::new());
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    let expected =
        ["grpc_close: 5 7", "grpc_close: get_status() = 0 7 \"no way\"", "response_headers: get_status() = 0 7 \"\""];
    assert_eq!(world.said(), expected);
}

fn a_stream_tells_everything_in_order(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = format!(
        "{STREAM}on grpc_receive_initial_metadata:\n  get_header_map_pairs(4)\n  get_header_map_value(4, \"a\")\n  get_header_map_value(4, \"b\")\n  get_header_map_pairs(5)\n  get_header_map_value(5, \"a\") as status\n  get_header_map_size(4)\n  add_header_map_value(4, \"x\", \"y\")\n\
         on grpc_receive:\n  get_header_map_pairs(4)\n  get_buffer_bytes(5, 0, 10)\n\
         on grpc_receive_trailing_metadata:\n  get_header_map_pairs(5)\n  get_buffer_bytes(5, 0, 10)\n\
         on grpc_close:\n  get_header_map_pairs(5)\n  get_status()"
    );
    let (_handle, _exchange) = start(&world, &script);
    let call = world.clock.grpc.call(0).unwrap();
    call.events.initial_metadata(headers(&[("a", "1")]));
    call.events.message(body("one"));
    call.events.trailing_metadata(headers(&[("c", "2")]));
    call.events.close(0, "via_upstream".to_owned());
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(") = ").unwrap().1).collect();
    let expected = [
        "0 {\"a\": \"1\"}",
        "0 \"1\"",
        "1",
        "0 {}",
        "2",
        "2",
        "2",
        "0 {}",
        "0 \"one\"",
        "0 {\"c\": \"2\"}",
        "0 \"\"",
        "0 {}",
        "0 0 \"via_upstream\"",
    ];
    assert_eq!(ends, expected);
}

fn what_is_cancelled_tells_no_more(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = format!(
        "trace\n{STREAM}  quiet grpc_send(6, \"x\", 0)\non grpc_receive:\n  grpc_cancel($token)\n  grpc_send($token, \"x\", 0)"
    );
    let (_handle, _exchange) = start(&world, &script);
    world.said();
    let call = world.clock.grpc.call(0).unwrap();
    call.events.message(body("one"));
    assert_eq!(
        world.said()[1..],
        ["grpc_receive: grpc_cancel($token) = 0", "grpc_receive: grpc_send($token, \"x\", 0) = 1"]
    );
    assert!(!call.events.is_wanted());
    call.events.message(body("two"));
    call.events.close(0, String::new());
    assert_eq!(world.said(), [""; 0]);
    drop(call);
    assert_eq!(world.clock.grpc.living(), 0);
}

fn a_stream_lives_until_both_sides_have_closed_it(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = format!("{STREAM}on response_headers:\n  grpc_send(6, \"x\", 1)\n  grpc_close(6)\n  grpc_close(6)");
    let (_handle, exchange) = start(&world, &script);
    let call = world.clock.grpc.call(0).unwrap();
    call.events.close(0, String::new());
    drop(call);
    assert_eq!(world.clock.grpc.living(), 0);
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(" = ").unwrap().1).collect();
    assert_eq!(ends, ["0", "0", "1"]);
}

fn tokens_count_by_kind(runtime: &Runtime) {
    let world = World::new(runtime);
    let targets = ["cluster", "unknown", "", "empty", "cluster"];
    let lines: String = targets
        .iter()
        .map(|target| format!("  grpc_call(\"{target}\", \"s\", \"m\", {{}}, \"\", 0)\n  grpc_stream(\"{target}\", \"s\", \"m\", {{}})\n"))
        .collect();
    let (_handle, _exchange) = start(&world, &format!("on request_headers:\n{lines}"));
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(" = ").unwrap().1).collect();
    assert_eq!(ends, ["0 5", "0 6", "4", "4", "2", "2", "10", "10", "0 17", "0 18"]);
}

fn a_refused_stream_is_told_after_the_callback(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = "on request_headers:\n  grpc_stream(\"empty\", \"s\", \"m\", {}) as status\n  grpc_cancel(6)\n\
                  on grpc_receive_initial_metadata:\n  say $count\non grpc_receive_trailing_metadata:\n  say $count\n  grpc_cancel(6)\n\
                  on grpc_close:\n  say $token\n  get_status()";
    let (_handle, _exchange) = start(&world, script);
    let expected = [
        "request_headers: grpc_stream(\"empty\", \"s\", \"m\", {}) = 10",
        "request_headers: grpc_cancel(6) = 1",
        "grpc_receive_initial_metadata: 0",
        "grpc_receive_trailing_metadata: 1",
        "grpc_receive_trailing_metadata: grpc_cancel(6) = 1",
        "grpc_close: 6",
        "grpc_close: get_status() = 0 14 \"no healthy upstream\"",
    ];
    assert_eq!(world.said(), expected);
}

fn calls_end_with_their_root(runtime: &Runtime) {
    let world = World::new(runtime);
    let (_handle, exchange) = start(&world, &format!("{CALL}  quiet grpc_stream(\"cluster\", \"s\", \"m\", {{}})"));
    exchange.end();
    assert_eq!(world.clock.grpc.living(), 2);
    world.worker.shutdown(&[]);
    assert_eq!(world.clock.grpc.living(), 0);
}

fn calls_end_with_their_vm(runtime: &Runtime) {
    let world = World::new(runtime);
    let (_handle, _exchange) = start(
        &world,
        &format!("{CALL}  quiet grpc_stream(\"cluster\", \"s\", \"m\", {{}})\non grpc_receive:\n  trap unreachable"),
    );
    let call = world.clock.grpc.call(0).unwrap();
    call.events.message(body("answer"));
    drop(call);
    assert_eq!(world.clock.grpc.living(), 0);
}

fn calls_are_bounded(runtime: &Runtime) {
    let world = World::with_limits(runtime, HostLimits { callouts: 2, ..HostLimits::default() });
    let (_handle, exchange) = start(
        &world,
        "on request_headers, response_headers:\n  times 3: grpc_stream(\"cluster\", \"s\", \"m\", {}) as status",
    );
    // One that its service has ended makes room, though the plugin never closes it.
    world.clock.grpc.call(0).unwrap().events.close(0, String::new());
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(" = ").unwrap().1).collect();
    assert_eq!(ends, ["0", "0", "10", "0", "10", "10"]);
    assert_eq!(world.clock.grpc.living(), 2);
}

fn messages_that_wait_are_bounded(runtime: &Runtime) {
    let world = World::with_limits(runtime, HostLimits { grpc_queue_bytes: 5, ..HostLimits::default() });
    let (_handle, _exchange) = start(
        &world,
        &format!("{STREAM}  times 3: grpc_send(6, \"abc\", $i)\n  grpc_send(6, \"de\", 1)\n  grpc_close(6)"),
    );
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(" = ").unwrap().1).collect();
    assert_eq!(ends, ["0", "10", "10", "0", "0"]);
    assert_eq!(*world.clock.grpc.call(0).unwrap().said.borrow(), ["abc false", "de true", "close"]);
}

fn statuses_are_of_a_root(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = format!("{CALL}on response_headers:\n  get_status()\n  grpc_cancel(5)");
    let mut other = world.config(&script);
    other.root_id = "other".into();
    let (_handle, first) = start(&world, &script);
    let handle = world.plugin(other);
    let second = begin(&handle);
    second.context.on_request_headers(true);
    world.clock.grpc.call(0).unwrap().events.close(7, String::new());
    for exchange in [&first, &second] {
        exchange.respond(&[(":status", "200")]);
        exchange.context.on_response_headers(true);
    }
    let said = world.said();
    let ends: Vec<_> = said.iter().map(|line| line.rsplit_once(") = ").unwrap().1).collect();
    assert_eq!(ends, ["0 7 \"\"", "1", "0 0 \"\"", "1"]);
}
