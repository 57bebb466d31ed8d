//! Every failed hostcall is told with its arguments, the one at fault, and why.

use crate::world::{Runtime, World, begin};

fn world() -> World {
    let world = World::new(&Runtime::Wasmtime);
    world.host.explain(true);
    world
}

/// The explanations that were logged, without what is the same in all of them.
fn told(world: &World) -> Vec<String> {
    let prefix = "wasm explain my_plugin my_root my_vm: ";
    world.log.take().into_iter().filter_map(|(_, line)| line.strip_prefix(prefix).map(str::to_owned)).collect()
}

/// What is told of one step in a callback of a stream.
fn told_of(callback: &str, step: &str) -> String {
    let world = world();
    let handle = world.script(&format!("on {callback}:\n  {step}"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    exchange.end();
    let mut told = told(&world);
    assert_eq!(told.len(), 1, "{step}: {told:?}");
    told.remove(0)
}

#[test]
fn each_failure_names_the_argument_and_the_reason() {
    for (step, expected) in [
        (
            "get_header_map_value(0, \"x-none\")",
            "proxy_get_header_map_value(map: 0 HttpRequestHeaders, key: \"x-none\") = 1 NotFound: key: the request headers \
             have none of this name",
        ),
        (
            "get_header_map_value(2, \":status\")",
            "proxy_get_header_map_value(map: 2 HttpResponseHeaders, key: \":status\") = 2 BadArgument: map: the response \
             headers are there in proxy_on_response_headers, and later only while that callback's stop holds the stream",
        ),
        (
            "get_header_map_value(9, \"a\")",
            "proxy_get_header_map_value(map: 9, key: \"a\") = 2 BadArgument: map: there is no type of map 9 (0 to 7)",
        ),
        ("add_header_map_value(6, \"a\", \"b\")", "map: the headers of an answer to a callout can be read only"),
        (
            "get_header_map_value(0, @0xfffffff0:16)",
            "key: 16 bytes at 0xfffffff0 are not within the guest's memory of ",
        ),
        (
            "get_header_map_value(0, \":path\", @0xfffffff0, _)",
            "ret_ptr: 0xfffffff0 is no place for a result in the guest's memory",
        ),
        (
            "get_buffer_bytes(7, 0, 10)",
            "= 1 NotFound: buffer: the plugin's configuration is there in proxy_on_context_create",
        ),
        ("set_buffer_bytes(6, 0, 0, \"x\")", "buffer: this buffer cannot be changed"),
        ("set_buffer_bytes(0, 0, 0, \"x\")", "buffer: the body is there in its own callbacks alone"),
        (
            "get_property([\"route_name\"])",
            "path: Envoy has no attribute \"route_name\" since 1.33: ask for xds.route_name, or run with --old-attributes",
        ),
        ("get_property([\"nothing\", \"such\"])", "path: there is no attribute \"nothing\""),
        ("get_property([\"request\"])", "= 3 SerializationFailure: path: this is a group of attributes"),
        ("get_property([\"response\", \"code\"])", "path: there is no such attribute, or not now"),
        (
            "set_effective_context(77)",
            "proxy_set_effective_context(context: 77) = 2 BadArgument: context: no context 77 is alive",
        ),
        ("done()", "proxy_done() = 1 NotFound: nothing waits for it"),
        ("continue_stream(3)", "= 12 Unimplemented: stream: the upstream's side"),
        ("continue_stream(4)", "stream: there is no type of stream 4 (0 to 3)"),
        ("get_shared_data(\"k\")", "key: nothing was ever set under this key"),
        ("resolve_shared_queue(\"v\", \"q\")", "name: no plugin of that vm_id has registered a queue of this name"),
        ("enqueue_shared_queue(5, \"x\")", "queue: there is no queue 5"),
        ("get_metric(4)", "metric: no metric 4 was defined in this VM"),
        ("get_metric(6)", "metric: only counters and gauges have a value"),
        ("define_metric(3, \"m\")", "kind: there is no type of metric 3 (0 to 2)"),
        ("define_metric(3, @end:1)", "= 6 InvalidMemoryAccess: name: 1 bytes at"),
        ("call_foreign_function(\"f\\xff\", \"\")", "name: there is no foreign function \"f\\xff\""),
        ("grpc_send(7, \"\", 0)", "token: callout 7 is an HTTP call"),
        ("http_call(\"c\", {\":method\": \"GET\"}, \"\", \"\", 5)", "headers: :path and :authority is missing"),
        ("http_call(\"c\", {}, \"\", \"\", -1)", "timeout_ms: it is negative"),
        ("log(9, \"x\")", "level: there is no log level 9 (0 to 5)"),
        ("path_open(3, 0, \"f\", 0, 0, 0, 0)", "path_open() = 44 NOENT: a plugin has no files"),
    ] {
        let told = told_of("request_headers", step);
        assert!(told.starts_with("proxy_on_request_headers: "), "{told}");
        assert!(told.contains(expected), "{step}\n{told}");
    }
}

#[test]
fn what_can_only_be_read_in_the_log_says_so() {
    let told = told_of("log", "add_header_map_value(0, \"a\", \"b\")");
    assert!(
        told.starts_with("proxy_on_log: ")
            && told.ends_with("map: in proxy_on_log maps can be read only, and not be measured"),
        "{told}"
    );
}

#[test]
fn a_root_context_has_no_stream() {
    let world = world();
    let _handle = world.script("on configure:\n  set_tick_period_milliseconds(5)\non tick:\n  get_header_map_value(0, \"a\")\n  set_property([\"a\"], \"b\")");
    world.pass(5);
    let told = told(&world);
    assert_eq!(told.len(), 2, "{told:?}");
    for line in told {
        assert!(
            line.starts_with("proxy_on_tick: ") && line.contains("is a root context, which has no stream"),
            "{line}"
        );
    }
}

#[test]
fn nothing_is_said_unless_asked_for() {
    let world = world();
    world.host.explain(false);
    let handle = world.script("on request_headers:\n  done()");
    begin(&handle).context.on_request_headers(true);
    assert!(told(&world).is_empty());
    world.host.explain(true);
    begin(&handle).context.on_request_headers(true);
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn floods_are_cut_and_counted() {
    let world = world();
    let handle = world.script("on request_headers:\n  times 1000: quiet done()");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(told(&world).len(), 20);
    world.pass(1000);
    begin(&handle).context.on_request_headers(true);
    let later: Vec<_> = world.log.take().into_iter().map(|(_, line)| line).filter(|l| l.contains("explain")).collect();
    assert!(later[0].ends_with(": 980 more calls of that second failed"), "{later:?}");
    assert_eq!(later.len(), 21);
    let report = world.host.report();
    let calls = &report[0].workers[0].failed_calls;
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].callback, calls[0].function, calls[0].count),
        ("proxy_on_request_headers", "proxy_done", 2000)
    );
    assert_eq!(calls[0].answer, "1 NotFound");
}
