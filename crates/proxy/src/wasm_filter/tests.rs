//! The probe guest in a filter chain, without sockets. What the guests log here was logged by the same scripts in Envoy
//! 1.40, unless a test says otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod chain;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use sandgate_abi::LogLevel;
use sandgate_host::{
    Engine, Environment, GuestLog, Host, PluginConfig, PluginHandle, VmHost, WasmtimeEngine, WorkerHost,
};

use self::chain::Chain;

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl GuestLog for Log {
    fn level(&self) -> u32 {
        0
    }

    fn write(&self, _: LogLevel, line: &[u8]) {
        self.0.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
    }
}

#[derive(Default)]
struct Clock(Cell<u64>);

impl Environment for Clock {
    fn realtime_ns(&self) -> u64 {
        self.0.get()
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.get()
    }

    fn timers_changed(&self) {}
}

/// A worker with plugins `f0`, `f1`, … each in a VM of its own and running a script.
struct Worker {
    log: Arc<Log>,
    clock: Rc<Clock>,
    host: Rc<WorkerHost>,
    handles: Vec<Rc<PluginHandle>>,
}

impl Worker {
    fn new(scripts: &[&str]) -> Self {
        Self::with(scripts, |_| {})
    }

    fn with(scripts: &[&str], change: impl Fn(&mut PluginConfig)) -> Self {
        static ENGINE: OnceLock<Arc<WasmtimeEngine<VmHost>>> = OnceLock::new();
        let engine = Arc::clone(ENGINE.get_or_init(|| Arc::new(WasmtimeEngine::new().unwrap())));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/probe/probe.wasm");
        let code = Bytes::from(std::fs::read(path).unwrap());
        let log = Arc::new(Log::default());
        let clock = Rc::new(Clock::default());
        let host = Host::builder(Arc::clone(&log) as _).engine(engine as Arc<dyn Engine<VmHost>>).build();
        let worker = WorkerHost::new(Arc::clone(&host), Rc::clone(&clock) as _);
        let handles = scripts.iter().enumerate().map(|(index, script)| {
            let mut config = PluginConfig { name: format!("f{index}"), ..PluginConfig::default() };
            config.vm.vm_id = format!("v{index}");
            config.vm.code = code.clone();
            config.configuration = Bytes::copy_from_slice(script.as_bytes());
            change(&mut config);
            let plugin = host.load(Arc::new(config), Rc::clone(&clock) as _).unwrap();
            worker.plugin_handle(&plugin).unwrap()
        });
        let handles = handles.collect();
        log.0.lock().unwrap().clear();
        Self { log, clock, host: worker, handles }
    }

    fn chain(&self) -> Chain {
        Chain::new(&self.handles)
    }

    /// What guests said, as `f0: line`.
    fn said(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.log.0.lock().unwrap());
        lines.iter().filter_map(|line| line.strip_prefix("wasm log ")).map(shorten).collect()
    }
}

/// Without the VM's name: `f0 v0: > log(2)` becomes `f0: > log(2)`.
fn shorten(line: &str) -> String {
    let (who, what) = line.split_once(": ").unwrap();
    format!("{}: {what}", who.split(' ').next().unwrap())
}

#[test]
fn a_whole_exchange_runs_in_envoys_order() {
    let worker = Worker::new(&["trace", "trace"]);
    let mut chain = worker.chain();
    chain.get();
    assert_eq!(chain.up(), ["headers end"]);
    chain.respond("ok");
    assert_eq!(chain.down(), ["headers", "data 'ok'", "data '' end"]);
    chain.end();
    assert_eq!(
        worker.said(),
        [
            "f0: > context_create(2, 1)",
            "f0: > request_headers(2, 3, 1)",
            "f1: > context_create(2, 1)",
            "f1: > request_headers(2, 3, 1)",
            "f1: > response_headers(2, 1, 0)",
            "f0: > response_headers(2, 1, 0)",
            "f1: > response_body(2, 2, 0)",
            "f0: > response_body(2, 2, 0)",
            "f1: > response_body(2, 0, 1)",
            "f0: > response_body(2, 0, 1)",
            "f0: > log(2)",
            "f1: > log(2)",
            "f0: > done(2)",
            "f0: > delete(2)",
            "f1: > done(2)",
            "f1: > delete(2)",
        ]
    );
}

#[test]
fn headers_bodies_and_properties_are_the_streams() {
    let worker = Worker::new(&["
        on request_headers:
          add_header_map_value(0, \"x-new\", \"1\")
          get_property([\"request\", \"path\"])
          set_property(\"mine\", \"kept\")
        on response_headers:
          remove_header_map_value(2, \"content-length\")
        on response_body when not $eos:
          get_property(\"mine\")
          set_buffer_bytes(1, 0, $size, \"changed\")
        on log:
          get_property([\"response\", \"code\"]) as int
    "]);
    let mut chain = worker.chain();
    chain.get();
    assert_eq!(chain.request()[3], "x-new: 1");
    chain.respond("ok");
    assert_eq!(chain.down(), ["headers", "data 'changed'", "data '' end"]);
    chain.end();
    let said = worker.said();
    assert!(
        said.contains(&"f0: request_headers: get_property([\"request\", \"path\"]) = 0 \"/\"".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"f0: response_body: get_property(\"mine\") = 0 \"kept\"".to_owned()), "{said:?}");
    assert!(said.contains(&"f0: log: get_property([\"response\", \"code\"]) = 0 200".to_owned()), "{said:?}");
}

#[test]
fn a_buffered_request_over_the_limit_is_still_shown_and_then_answered() {
    let worker = Worker::new(&["trace\non request_body:\n return 1"]);
    let mut chain = worker.chain();
    chain.post();
    chain.body(&"x".repeat(800), false);
    chain.body(&"x".repeat(800), false);
    assert_eq!(chain.up(), ["headers"]);
    assert_eq!(chain.down(), ["headers", "data 'Payload Too Large' end"]);
    assert_eq!(
        worker.said()[2..],
        [
            "f0: > request_body(2, 800, 0)",
            "f0: > request_body(2, 1600, 0)",
            "f0: > response_headers(2, 3, 0)",
            "f0: > response_body(2, 17, 1)",
        ]
    );
}

#[test]
fn a_buffered_response_over_the_limit_is_not_shown() {
    let script = "trace\non response_headers:\n return 1\non response_body:\n return 1";
    let worker = Worker::with(&[script], |config| config.allow_on_headers_stop_iteration = true);
    let mut chain = worker.chain();
    chain.get();
    chain.response_headers();
    chain.response_body(&"x".repeat(800), false);
    chain.response_body(&"x".repeat(800), false);
    assert_eq!(chain.down(), ["headers", "data 'Internal Server Error' end"]);
    assert_eq!(worker.said()[2..], ["f0: > response_headers(2, 1, 0)", "f0: > response_body(2, 800, 0)"]);
}

#[test]
fn buffering_shows_the_whole_body_and_releases_it() {
    let script = "trace\non request_body when not $eos:\n return 1\non request_body when $eos:\n get_buffer_bytes(0, 0, 100)\n set_buffer_bytes(0, 0, $size, \"new\")";
    let worker = Worker::new(&[script, "trace"]);
    let mut chain = worker.chain();
    chain.post();
    chain.body("one", false);
    chain.body("two", false);
    chain.body("", true);
    assert_eq!(chain.up(), ["headers", "data 'new' end"]);
    assert_eq!(
        worker.said()[4..],
        [
            "f0: > request_body(2, 3, 0)",
            "f0: > request_body(2, 6, 0)",
            "f0: > request_body(2, 6, 1)",
            "f0: request_body: get_buffer_bytes(0, 0, 100) = 0 \"onetwo\"",
            "f0: request_body: set_buffer_bytes(0, 0, $size, \"new\") = 0",
            "f1: > request_body(2, 3, 1)",
        ]
    );
}

/// Envoy 1.40 sends such trailers twice, also on the wire.
#[test]
fn trailers_added_after_buffering_come_once() {
    let script =
        "on request_body when not $eos:\n return 1\non request_body when $eos:\n add_header_map_value(1, \"t\", \"1\")";
    let worker = Worker::new(&[script, "trace"]);
    let mut chain = worker.chain();
    chain.post();
    chain.body("one", false);
    chain.body("", true);
    assert_eq!(chain.up(), ["headers", "data 'one'", "trailers"]);
    assert_eq!(
        worker.said()[2..],
        [
            "f0: request_body: add_header_map_value(1, \"t\", \"1\") = 0",
            "f1: > request_body(2, 3, 0)",
            "f1: > request_trailers(2, 1)",
        ]
    );
}

#[test]
fn continuing_in_the_callback_counts_before_its_answer() {
    let worker = Worker::new(&["trace\non request_body:\n continue_stream(0)\n return 1"]);
    let mut chain = worker.chain();
    chain.post();
    chain.body("hello", false);
    chain.body("", true);
    assert_eq!(chain.up(), ["headers", "data 'hello' end"]);
    let said: Vec<_> = worker.said().into_iter().filter(|line| line.contains("> request_body")).collect();
    assert_eq!(said, ["f0: > request_body(2, 5, 0)", "f0: > request_body(2, 5, 1)"]);

    let worker = Worker::new(&["on request_headers:\n continue_stream(0)\n return 1"]);
    let mut chain = worker.chain();
    chain.get();
    assert_eq!(chain.up(), ["headers end"]);
}

/// Envoy 1.40 crashes on the first two, and sends headers twice on the third.
#[test]
fn continuing_the_response_out_of_turn_is_harmless() {
    for at in ["request_headers", "request_body", "response_headers"] {
        let worker = Worker::new(&[&format!("on {at}:\n continue_stream(1)")]);
        let mut chain = worker.chain();
        chain.post();
        chain.body("hello", true);
        assert_eq!(chain.up(), ["headers", "data 'hello' end"]);
        chain.respond("ok");
        assert_eq!(chain.down(), ["headers", "data 'ok'", "data '' end"]);
    }
}

#[test]
fn a_tick_continues_a_paused_stream() {
    let script = "
        on configure:
          set_tick_period_milliseconds(10)
        on request_headers:
          return 1
        on tick:
          set_effective_context($stream)
          continue_stream(0)
    ";
    let worker = Worker::new(&[script]);
    let mut chain = worker.chain();
    chain.get();
    assert!(chain.up().is_empty());
    worker.clock.0.set(20_000_000);
    worker.host.run_due(worker.clock.0.get());
    assert!(chain.has_pending());
    assert_eq!(chain.up(), ["headers end"]);
}

#[test]
fn a_local_reply_runs_through_the_encoder_filters_and_a_second_one_replaces_it() {
    let first = "trace\non request_headers:\n send_local_response(403, \"my details\", \"no\", {\"x\": \"1\"}, -1)";
    let second = "trace\non response_headers:\n send_local_response(500, \"\", \"second\", {}, -1)";
    let worker = Worker::new(&["trace", first]);
    let mut chain = worker.chain();
    chain.get();
    assert!(chain.up().is_empty());
    assert_eq!(chain.down(), ["headers", "data 'no' end"]);
    assert_eq!(chain.response(), [":status: 403", "x: 1", "content-length: 2", "content-type: text/plain"]);
    assert_eq!(chain.details(), "my_details");
    let responses: Vec<_> = worker.said().into_iter().filter(|line| line.contains("> response")).collect();
    assert_eq!(
        responses,
        [
            "f1: > response_headers(2, 4, 0)",
            "f0: > response_headers(2, 4, 0)",
            "f1: > response_body(2, 2, 1)",
            "f0: > response_body(2, 2, 1)"
        ]
    );

    let worker = Worker::new(&[second, first]);
    let mut chain = worker.chain();
    chain.get();
    assert_eq!(chain.down(), ["headers", "data 'second' end"]);
    assert_eq!(chain.response()[0], ":status: 500");
}

#[test]
fn of_two_replies_in_a_callback_the_first_is_sent() {
    let both = "on request_headers:\n send_local_response(403, \"\", \"no\", {}, -1)\n send_local_response(500, \"\", \"two\", {}, -1)";
    let worker = Worker::new(&[both]);
    let mut chain = worker.chain();
    chain.get();
    assert_eq!(chain.down(), ["headers", "data 'no' end"]);
    assert_eq!(chain.response()[0], ":status: 403");
}

#[test]
fn closing_in_a_request_callback_wins_over_a_reply() {
    let worker =
        Worker::new(&["on request_headers:\n send_local_response(403, \"one\", \"no\", {}, -1)\n close_stream(0)"]);
    let mut chain = worker.chain();
    chain.get();
    assert_eq!(chain.down(), ["reset"]);
    assert_eq!(chain.details(), "one");
}

#[test]
fn replies_and_closing_late_in_a_response_reset() {
    let reply = "on response_body:\n send_local_response(500, \"\", \"x\", {}, -1)";
    let close = "on response_body:\n close_stream(1)";
    for (script, details) in [(reply, ""), (close, "wasm_close_stream")] {
        let worker = Worker::new(&[script]);
        let mut chain = worker.chain();
        chain.get();
        chain.respond("ok");
        assert_eq!(chain.down(), ["headers", "reset"]);
        assert_eq!(chain.details(), details);
    }
}

#[test]
fn replies_and_closing_at_the_end_are_harmless() {
    for at in ["log", "done", "delete"] {
        let worker = Worker::new(&[&format!(
            "trace\non {at}:\n send_local_response(500, \"\", \"x\", {{}}, -1)\n close_stream(0)\n continue_stream(0)\n continue_stream(1)"
        )]);
        let mut chain = worker.chain();
        chain.get();
        chain.respond("ok");
        chain.down();
        chain.end();
        assert!(chain.down().is_empty());
        let ends: Vec<_> = worker.said().into_iter().filter(|line| line.contains("> ")).collect();
        assert_eq!(ends[ends.len() - 3..], ["f0: > log(2)", "f0: > done(2)", "f0: > delete(2)"]);
    }
}

#[test]
fn a_failed_plugin_closes_streams_or_lets_new_ones_pass() {
    use sandgate_host::FailurePolicy::{FailClosed, FailOpen};
    for (policy, later) in [(FailClosed, None), (FailOpen, Some("headers end"))] {
        let worker = Worker::with(&["on request_headers:\n trap unreachable"], |config| config.failure_policy = policy);
        let mut first = worker.chain();
        first.get();
        assert!(first.up().is_empty());
        assert_eq!(first.down(), ["headers end"]);
        assert_eq!(first.response(), [":status: 503"]);
        assert_eq!(first.details(), "wasm_fail_stream");

        let mut second = worker.chain();
        second.get();
        assert_eq!(second.up().first().map(String::as_str), later);
        assert_eq!(second.down().is_empty(), later.is_some());
    }
}

#[test]
fn a_stream_that_waits_is_failed_when_its_plugin_dies() {
    let script = "
        on request_headers when $path == \"/\":
          return 1
        on request_headers when $path != \"/\":
          trap unreachable
    ";
    let worker = Worker::new(&[script]);
    let mut waiting = worker.chain();
    waiting.get();
    let mut killer = worker.chain();
    killer.get_path("/kill");
    assert_eq!(killer.details(), "wasm_fail_stream");
    assert!(waiting.has_pending());
    assert_eq!(waiting.down(), ["headers end"]);
    assert_eq!(waiting.details(), "wasm_fail_stream");
}

#[test]
fn a_dropped_stream_is_logged_and_deleted() {
    let worker = Worker::new(&["trace\non request_headers:\n return 1"]);
    let mut chain = worker.chain();
    chain.get();
    drop(chain);
    let said = worker.said();
    assert_eq!(said[said.len() - 3..], ["f0: > log(2)", "f0: > done(2)", "f0: > delete(2)"]);
}
