//! Requests of plugins, with an embedder that answers when the test says so.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_host::{
    Callout, Callouts, DnsDone, GrpcCall, GrpcEvents, GrpcRefusal, GrpcRequest, HostLimits, HttpCall, HttpCallDone,
    HttpCallResponse,
};
use sandgate_http::{BodyBuffer, Direction};

use crate::on_every_engine;
use crate::stream::{Asked, MockStream, headers};
use crate::world::{Runtime, World, begin, begin_with};

on_every_engine! {
    an_answer_comes_to_the_root_once
    a_request_is_what_the_guest_said
    a_reset_leaves_its_status
    what_is_refused_is_not_sent
    calls_end_with_their_root
    an_answer_after_the_stream_finds_the_root
    answers_to_a_dead_vm_are_lost
    a_stream_that_waits_fails_with_its_vm
    a_trial_calls_in_vain
    calls_are_bounded
    trace_context_goes_along_if_wanted
}

/// An embedder with one cluster, `c`.
#[derive(Default)]
pub(crate) struct Sent {
    calls: RefCell<Vec<(HttpCall, Option<HttpCallDone>)>>,
    cancelled: Rc<Cell<usize>>,
    traces: Cell<bool>,
    fails: Cell<bool>,
}

struct Guard(Rc<Cell<usize>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Callouts for Sent {
    fn has_cluster(&self, name: &[u8]) -> bool {
        name == b"c"
    }

    fn propagates_trace_context(&self) -> bool {
        self.traces.get()
    }

    fn http_call(&self, _: &[u8], call: HttpCall, done: HttpCallDone) -> Option<Callout> {
        if self.fails.get() {
            return None;
        }
        self.calls.borrow_mut().push((call, Some(done)));
        Some(Box::new(Guard(Rc::clone(&self.cancelled))))
    }

    fn grpc_call(&self, _: &GrpcRequest<'_>, _: GrpcEvents) -> Result<Box<dyn GrpcCall>, GrpcRefusal> {
        Err(GrpcRefusal::UnknownTarget)
    }

    fn resolve_dns(&self, _: &[u8], _: DnsDone) -> Callout {
        Box::new(())
    }
}

impl Sent {
    pub(crate) fn answer(&self, call: usize, response: Option<HttpCallResponse>) {
        let done = self.calls.borrow_mut()[call].1.take().unwrap();
        done(response);
    }

    pub(crate) fn count(&self) -> usize {
        self.calls.borrow().len()
    }

    /// Calls that were cancelled, or are over.
    pub(crate) fn gone(&self) -> usize {
        self.cancelled.get()
    }
}

pub(crate) fn ok(text: &'static str) -> Option<HttpCallResponse> {
    let mut body = BodyBuffer::new();
    body.push(Bytes::from_static(text.as_bytes()));
    Some(HttpCallResponse { headers: headers(&[(":status", "200"), ("x-a", "1")]), body, trailers: None })
}

pub(crate) fn world(runtime: &Runtime) -> (World, Rc<Sent>) {
    with_limits(runtime, HostLimits::default())
}

fn with_limits(runtime: &Runtime, limits: HostLimits) -> (World, Rc<Sent>) {
    let world = World::with_limits(runtime, limits);
    let sent = Rc::<Sent>::default();
    *world.clock.callouts.borrow_mut() = Some(Rc::clone(&sent) as _);
    (world, sent)
}

const CALL: &str = "http_call(\"c\", {\":method\": \"GET\", \":path\": \"/\", \":authority\": \"a\"}, \"\", {}, 100)";

fn on_request(then: &str) -> String {
    format!("on request_headers:\n  {CALL} as status\n  return 1\non http_call_response:\n{then}")
}

fn an_answer_comes_to_the_root_once(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request(
        "  say \"root \" + $context + \" token \" + $token + \" \" + $count + \" \" + $size + \" \" + $trailers\n  get_header_map_pairs(6)\n  get_buffer_bytes(4, 1, 2)\n  \
         set_effective_context($stream)\n  continue_stream(0)",
    ));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(exchange.stream.asked(), []);
    world.log.take();
    sent.answer(0, ok("body"));
    let said = world.said();
    assert_eq!(said[0], "http_call_response: root 1 token 4 2 4 0");
    assert!(said[1].ends_with("= 0 {\":status\": \"200\", \"x-a\": \"1\"}"), "{said:?}");
    assert!(said[2].ends_with("= 0 \"od\""), "{said:?}");
    assert_eq!(exchange.stream.asked(), [Asked::Resume(Direction::Request)]);
    assert_eq!(sent.gone(), 1);
}

fn a_request_is_what_the_guest_said(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(
        "on request_headers:\n  http_call(\"c\", {\"x-b\": \"1\", \":method\": \"POST\", \":path\": \"/p\", \":authority\": \"a\", \"content-length\": \"9\"}, \"abc\", {\"t\": \"1\"}, 0)",
    );
    begin(&handle).context.on_request_headers(true);
    let calls = sent.calls.borrow();
    let (call, _) = &calls[0];
    assert_eq!(call.headers.get(b"x-b"), Some(&b"1"[..]));
    assert_eq!(call.headers.get(b"content-length"), Some(&b"3"[..]));
    assert_eq!((&call.body[..], call.timeout), (&b"abc"[..], None::<Duration>));
}

fn a_reset_leaves_its_status(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request("  say $count + $size\n  get_status()"));
    for _ in 0..2 {
        begin(&handle).context.on_request_headers(true);
    }
    world.log.take();
    sent.answer(1, None);
    sent.answer(0, ok(""));
    let said = world.said();
    assert_eq!(said[0], "http_call_response: 0");
    assert!(said[1].ends_with("= 0 11 \"reset\""), "{said:?}");
    assert!(said[3].ends_with("= 0 11 \"\""), "{said:?}");
}

fn what_is_refused_is_not_sent(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request("  say $token").replace("\"c\"", "\"other\""));
    begin(&handle).context.on_request_headers(true);
    assert!(world.said()[0].ends_with("= 2"));
    let handle = world.script(&on_request("  say $token").replace("100", "-1"));
    begin(&handle).context.on_request_headers(true);
    assert!(world.said()[0].ends_with("= 2"));
    sent.fails.set(true);
    let handle = world.script(&on_request("  say $token"));
    begin(&handle).context.on_request_headers(true);
    assert!(world.said()[0].ends_with("= 10"));
    assert_eq!(sent.count(), 0);
}

fn calls_end_with_their_root(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request("  say \"no\""));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.end();
    drop(exchange);
    assert_eq!(sent.gone(), 0, "the stream is not the owner");
    drop(handle);
    assert_eq!((sent.count(), sent.gone()), (1, 1));
    world.log.take();
    sent.answer(0, ok(""));
    assert_eq!(world.said(), [""; 0]);
    assert_eq!(world.worker.context_count(), 0);
}

fn an_answer_after_the_stream_finds_the_root(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request("  set_effective_context(2)\n  continue_stream(0)"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.end();
    world.log.take();
    sent.answer(0, ok(""));
    assert_eq!(world.said()[0], "http_call_response: set_effective_context(2) = 2");
    assert_eq!(exchange.stream.asked(), []);
}

fn answers_to_a_dead_vm_are_lost(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request("  trap unreachable"));
    let (one, two) = (begin(&handle), begin(&handle));
    one.context.on_request_headers(true);
    two.context.on_request_headers(true);
    sent.answer(0, ok(""));
    assert!(!handle.is_alive());
    world.log.take();
    sent.answer(1, ok(""));
    assert_eq!(world.log.take(), []);
    drop((one, two, handle));
    assert_eq!(sent.gone(), 2);
}

fn a_stream_that_waits_fails_with_its_vm(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let handle = world.script(&on_request("  trap unreachable"));
    let (one, two) = (begin(&handle), begin(&handle));
    one.context.on_request_headers(true);
    two.context.on_request_headers(true);
    sent.answer(0, ok(""));
    for exchange in [one, two] {
        assert_eq!(exchange.stream.asked(), [Asked::Reply(sandgate_host::fail_stream_reply())]);
    }
}

fn a_trial_calls_in_vain(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let script = format!("on configure:\n  {CALL}\non http_call_response:\n  say \"answered\"");
    let plugin = world.load(world.config(&script)).unwrap();
    assert_eq!((sent.count(), sent.gone()), (1, 1));
    let _handle = world.worker.plugin_handle(&plugin).unwrap();
    assert_eq!((sent.count(), sent.gone()), (2, 1));
    world.log.take();
    sent.answer(0, ok(""));
    assert_eq!(world.said(), [""; 0]);
    sent.answer(1, ok(""));
    assert_eq!(world.said(), ["http_call_response: answered"]);
}

fn calls_are_bounded(runtime: &Runtime) {
    let (world, sent) = with_limits(runtime, HostLimits { callouts: 3, ..HostLimits::default() });
    let handle =
        world.script(&format!("on request_headers:\n  times 5: {CALL} as status\non http_call_response:\n  {CALL}"));
    begin(&handle).context.on_request_headers(true);
    let lines = world.log.take();
    let ends: Vec<_> = lines.iter().filter_map(|(_, line)| line.rsplit_once(" = ")).map(|(_, end)| end).collect();
    assert_eq!(ends, ["0", "0", "0", "10", "10"]);
    assert_eq!(lines.iter().filter(|(_, line)| line.contains("reached the limit callouts of 3")).count(), 1);
    // There is room again, and tokens go on.
    sent.answer(0, ok(""));
    assert!(world.said()[0].ends_with("= 0 16"));
}

fn trace_context_goes_along_if_wanted(runtime: &Runtime) {
    let (world, sent) = world(runtime);
    let traced = || {
        let stream = MockStream::get("/");
        if let Some(headers) = &mut *stream.request_headers.borrow_mut() {
            headers.append(b"traceparent", b"00-1-2-01");
            headers.append(b"tracestate", b"a=b");
        }
        stream
    };
    let handle = world.script(&on_request("  say $token"));
    begin_with(&handle, traced()).context.on_request_headers(true);
    sent.traces.set(true);
    begin_with(&handle, traced()).context.on_request_headers(true);
    let own = world.script(&on_request("  say $token").replace("\":path\"", "\"traceparent\": \"own\", \":path\""));
    begin_with(&own, traced()).context.on_request_headers(true);
    let calls = sent.calls.borrow();
    let of = |call: usize, name: &[u8]| calls[call].0.headers.get(name).map(<[u8]>::to_vec);
    assert_eq!(of(0, b"traceparent"), None);
    assert_eq!(of(1, b"traceparent").as_deref(), Some(&b"00-1-2-01"[..]));
    assert_eq!(of(1, b"tracestate").as_deref(), Some(&b"a=b"[..]));
    assert_eq!((of(2, b"traceparent").as_deref(), of(2, b"tracestate")), (Some(&b"own"[..]), None));
}
