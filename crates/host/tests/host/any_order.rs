//! Any hostcall with any arguments in any callback: nothing breaks, and all engines answer alike.

use crate::stream::{Asked, body, headers};
use crate::world::{Exchange, Runtime, WASM, World, begin};

/// Calls with holes for small numbers (`#`).
const CALLS: [&str; 36] = [
    "get_header_map_value(#, \"x-a\")",
    "get_header_map_value(#, \":status\")",
    "get_header_map_pairs(#)",
    "get_header_map_size(#)",
    "add_header_map_value(#, \"x-b\", \"#\")",
    "replace_header_map_value(#, \"x-a\", \"#\")",
    "remove_header_map_value(#, \"x-a\")",
    "set_header_map_pairs(#, {\":path\": \"/\", \"x-a\": \"#\"})",
    "set_header_map_pairs(#, \"\\x09\")",
    "get_buffer_bytes(#, #, #)",
    "get_buffer_status(#)",
    "set_buffer_bytes(#, #, #, \"new#\")",
    "get_property([\"request\", \"path\"])",
    "get_property([\"response\", \"code\"])",
    "get_property([\"k#\"])",
    "get_property([\"request\"])",
    "set_property(\"k#\", \"v#\")",
    "continue_stream(#)",
    "close_stream(#)",
    "send_local_response(40#, \"a b\", \"body\", {\"x-r\": \"1\"}, #)",
    "set_effective_context(#)",
    "done()",
    "set_tick_period_milliseconds(#)",
    "define_metric(#, \"m#\")",
    "increment_metric(#, #)",
    "record_metric(#, #)",
    "get_metric(#)",
    "set_shared_data(\"k#\", \"v#\", #)",
    "get_shared_data(\"k#\")",
    "register_shared_queue(\"q#\")",
    "resolve_shared_queue(\"\", \"q#\")",
    "enqueue_shared_queue(#, \"e#\")",
    "dequeue_shared_queue(#)",
    "http_call(\"c\", {\":path\": \"/\"}, \"\", {}, #)",
    "grpc_call(\"\\x0a\\x06\\x0a\\x04nope\", \"s\", \"m\", {}, \"\", #)",
    "call_foreign_function(\"clear_route_cache\", \"\")",
];

const CALLBACKS: [&str; 14] = [
    "context_create",
    "configure",
    "tick",
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
    "log",
    "done",
    "delete",
    "queue_ready",
    "grpc_close",
];

/// Knuth's linear congruential generator: the same scripts on every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// A script of some calls in each callback of streams.
    pub(crate) fn script(&mut self) -> String {
        self.script_of(&CALLBACKS)
    }

    /// The same of those callbacks.
    pub(crate) fn script_of(&mut self, callbacks: &[&str]) -> String {
        let mut script = String::from("trace\n");
        for &callback in callbacks {
            script.push_str(&format!("on {callback}:\n"));
            for _ in 0..self.below(5) {
                let call = CALLS[self.below(CALLS.len())];
                // What has no end makes an endless story.
                let call = if callback == "grpc_close" && call.starts_with("grpc") { "done()" } else { call };
                for (i, part) in call.split('#').enumerate() {
                    if i > 0 {
                        script.push_str(&self.below(10).to_string());
                    }
                    script.push_str(part);
                }
                script.push('\n');
            }
            if ["request", "response", "new_", "downstream_data", "upstream_data"]
                .iter()
                .any(|half| callback.starts_with(half))
            {
                script.push_str(&format!("return {}\n", self.below(5)));
            }
        }
        script
    }
}

/// What was said and asked in two exchanges that overlap.
pub(crate) fn story(runtime: &Runtime, script: &str) -> (Vec<String>, Vec<Vec<Asked>>, usize) {
    let world = World::new(runtime);
    let handle = world.script(script);
    let first = begin(&handle);
    let second = begin(&handle);
    first.context.on_request_headers(false);
    second.context.on_request_headers(true);
    for (piece, end) in [("abc", false), ("de", false), ("", true)] {
        first.context.on_request_body(&mut body(piece), end);
    }
    *first.stream.request_trailers.borrow_mut() = Some(headers(&[("t", "1")]));
    first.context.on_request_trailers();
    world.pass(5);
    let respond = |exchange: &Exchange| {
        exchange.respond(&[(":status", "200"), ("x-a", "r")]);
        exchange.context.on_response_headers(false);
        exchange.context.on_response_body(&mut body("12345"), false);
        world.worker.drain();
        exchange.context.on_response_body(&mut body("6"), true);
    };
    respond(&second);
    second.end();
    respond(&first);
    world.pass(5);
    first.end();
    let asked = vec![first.stream.asked(), second.stream.asked()];
    drop((first, second, handle));
    (world.said(), asked, world.worker.context_count())
}

#[test]
fn all_engines_tell_the_same_story() {
    let mut random = Random(1);
    let mut lines = 0;
    for number in 0..150 {
        let script = random.script();
        let native = story(&Runtime::Native, &script);
        for runtime in WASM {
            assert_eq!(story(runtime, &script), native, "script {number} on {runtime:?}:\n{script}");
        }
        assert_eq!(native.2, 0);
        lines += native.0.len();
    }
    assert!(lines > 150 * 20, "the scripts do next to nothing: {lines} lines");
}
