//! Contexts: their ids, their callbacks in order, and who acts for whom.

use sandgate_http::{DataStatus, HeadersStatus, TrailersStatus};

use crate::on_every_engine;
use crate::stream::{Asked, MockStream, body, headers};
use crate::world::{Runtime, World, begin, begin_with};
use sandgate_http::Direction;

on_every_engine! {
    a_whole_exchange_is_shown_in_order
    roots_and_streams_share_one_counter
    plugins_of_one_vm_share_it
    a_stream_without_headers_is_only_logged
    the_effective_context_moves_another_stream
    the_effective_context_lasts_one_callback
    statuses_are_translated
    headers_may_stop_alone_if_configured
    a_root_that_waits_is_deleted_when_done
    counts_return_to_zero
    log_lines_have_the_right_prefix
    the_log_level_filters
}

fn a_whole_exchange_is_shown_in_order(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace");
    let exchange = begin(&handle);
    let (context, stream) = (&exchange.context, &exchange.stream);
    assert_eq!(context.on_request_headers(false), HeadersStatus::Continue);
    assert_eq!(context.on_request_body(&mut body("12345"), false), DataStatus::Continue);
    *stream.request_trailers.borrow_mut() = Some(headers(&[("t", "1")]));
    assert_eq!(context.on_request_trailers(), TrailersStatus::Continue);
    exchange.respond(&[(":status", "200")]);
    assert_eq!(context.on_response_headers(false), HeadersStatus::Continue);
    assert_eq!(context.on_response_body(&mut body("123"), false), DataStatus::Continue);
    assert_eq!(context.on_response_body(&mut body(""), true), DataStatus::Continue);
    exchange.end();
    exchange.end();
    drop(exchange);
    assert_eq!(
        world.said(),
        [
            "> context_create(2, 1)",
            "> request_headers(2, 6, 0)",
            "> request_body(2, 5, 0)",
            "> request_trailers(2, 1)",
            "> response_headers(2, 1, 0)",
            "> response_body(2, 3, 0)",
            "> response_body(2, 0, 1)",
            "> log(2)",
            "> done(2)",
            "> delete(2)",
        ]
    );
}

fn roots_and_streams_share_one_counter(runtime: &Runtime) {
    let world = World::new(runtime);
    let first = world.script("trace");
    let mut other = world.config("trace");
    other.name = "other".into();
    let second = world.plugin(other);
    let ids = [&first, &first, &second].map(|handle| begin(handle).context.id());
    assert_eq!(ids, [3, 4, 5]);
    // None of them was shown to the guest, so none of them ends there.
    assert_eq!(world.said(), [""; 0]);
    let exchange = begin(&second);
    exchange.context.on_request_headers(true);
    assert_eq!(world.said()[0], "> context_create(6, 2)");
}

fn plugins_of_one_vm_share_it(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = "on request_headers:\n  set_shared_data(\"k\", \"v\", 0)\n  say \"root \" + $root";
    let first = world.script(script);
    let again = world.script(script);
    // Equal in all that counts: the same root context.
    begin(&first).context.on_request_headers(true);
    begin(&again).context.on_request_headers(true);
    assert!(world.said().iter().filter(|line| line.ends_with("root 1")).count() == 2);
    assert_eq!(world.worker.context_count(), 1);
}

fn a_stream_without_headers_is_only_logged(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace");
    let exchange = begin(&handle);
    assert_eq!(exchange.context.on_request_body(&mut body("x"), true), DataStatus::Continue);
    assert_eq!(exchange.context.on_response_headers(true), HeadersStatus::Continue);
    assert_eq!(exchange.context.on_response_body(&mut body("x"), true), DataStatus::Continue);
    exchange.end();
    assert_eq!(world.said(), ["> context_create(2, 1)", "> log(2)", "> done(2)", "> delete(2)"]);
}

fn the_effective_context_moves_another_stream(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on configure:\n  quiet set_tick_period_milliseconds(10)\n\
         on request_headers when $nth == 1:\n  $waiting = $context\n  return 1\n\
         on tick:\n  continue_stream(0)\n  set_effective_context($waiting)\n  get_header_map_value(0, \"x-a\")\n  \
         continue_stream(0)\n  get_header_map_value(0, \"x-a\")\n  set_effective_context(0)\n  set_effective_context(99)",
    );
    let exchange = begin(&handle);
    assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    world.pass(10);
    assert_eq!(
        world.said(),
        [
            "tick: continue_stream(0) = 0",
            "tick: set_effective_context($waiting) = 0",
            "tick: get_header_map_value(0, \"x-a\") = 0 \"1\"",
            "tick: continue_stream(0) = 0",
            "tick: get_header_map_value(0, \"x-a\") = 2",
            "tick: set_effective_context(0) = 0",
            "tick: set_effective_context(99) = 2",
        ]
    );
    assert_eq!(exchange.stream.asked(), [Asked::Resume(Direction::Request)]);
}

fn the_effective_context_lasts_one_callback(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  quiet set_effective_context($root)\n  get_header_map_value(0, \"x-a\")\n\
         on request_body:\n  get_buffer_bytes(0, 0, 9)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    exchange.context.on_request_body(&mut body("abc"), true);
    assert_eq!(
        world.said(),
        [
            "request_headers: get_header_map_value(0, \"x-a\") = 2",
            "request_body: get_buffer_bytes(0, 0, 9) = 0 \"abc\""
        ]
    );
}

fn statuses_are_translated(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers, response_headers, request_body, response_body, request_trailers, response_trailers:\n  return $count + $size",
    );
    use HeadersStatus::{Continue, StopAllIterationAndBuffer as Buffer, StopAllIterationAndWatermark as Watermark};
    for (answer, status) in [(0, Continue), (1, Watermark), (2, Continue), (3, Buffer), (4, Watermark), (5, Watermark)]
    {
        let exchange = begin_with(&handle, MockStream::get("/"));
        // The number of headers is what the script answers.
        let many: Vec<_> = (0..answer).map(|_| ("n", "v")).collect();
        *exchange.stream.request_headers.borrow_mut() = Some(headers(&many));
        assert_eq!(exchange.context.on_request_headers(false), status, "headers {answer}");
        exchange.respond(&many);
        assert_eq!(exchange.context.on_response_headers(false), status, "headers {answer}");
    }
    use DataStatus::{StopIterationAndBuffer, StopIterationAndWatermark, StopIterationNoBuffer};
    let data = [
        (0, DataStatus::Continue),
        (1, StopIterationAndBuffer),
        (2, StopIterationAndWatermark),
        (3, StopIterationNoBuffer),
        (4, StopIterationNoBuffer),
    ];
    for (answer, status) in data {
        let exchange = begin_with(&handle, MockStream::get("/"));
        *exchange.stream.request_headers.borrow_mut() = Some(headers(&[]));
        exchange.context.on_request_headers(false);
        assert_eq!(exchange.context.on_request_body(&mut body(&"x".repeat(answer)), false), status, "body {answer}");
        assert_eq!(exchange.context.on_response_body(&mut body(&"x".repeat(answer)), false), status, "body {answer}");
    }
    for answer in 0..4 {
        let exchange = begin_with(&handle, MockStream::get("/"));
        *exchange.stream.request_headers.borrow_mut() = Some(headers(&[]));
        exchange.context.on_request_headers(false);
        let many: Vec<_> = (0..answer).map(|_| ("n", "v")).collect();
        *exchange.stream.request_trailers.borrow_mut() = Some(headers(&many));
        *exchange.stream.response_trailers.borrow_mut() = Some(headers(&many));
        let status = if answer == 0 { TrailersStatus::Continue } else { TrailersStatus::StopIteration };
        assert_eq!(exchange.context.on_request_trailers(), status, "trailers {answer}");
        assert_eq!(exchange.context.on_response_trailers(), status, "trailers {answer}");
    }
}

fn headers_may_stop_alone_if_configured(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = "on request_headers:\n  return 1\non request_body:\n  get_header_map_value(0, \"x-a\")";
    let mut config = world.config(script);
    config.allow_on_headers_stop_iteration = true;
    let exchange = begin(&world.plugin(config));
    assert_eq!(exchange.context.on_request_headers(false), HeadersStatus::StopIteration);
    assert_eq!(exchange.context.on_request_body(&mut body("x"), true), DataStatus::Continue);
    assert_eq!(world.said(), ["request_body: get_header_map_value(0, \"x-a\") = 0 \"1\""]);
}

fn a_root_that_waits_is_deleted_when_done(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "trace\non configure:\n  quiet set_tick_period_milliseconds(5)\n\
         on done when $context == $root:\n  done()\n  return 0\non tick:\n  done()\n  done()",
    );
    let mut other = world.config("trace");
    other.name = "keeps the VM".into();
    let _other = world.plugin(other);
    drop(handle);
    assert_eq!(world.said(), ["> done(1)", "done: done() = 1"]);
    assert_eq!(world.worker.context_count(), 2);
    world.pass(5);
    assert_eq!(world.said(), ["> tick(1)", "tick: done() = 0", "tick: done() = 1", "> delete(1)"]);
    assert_eq!(world.worker.context_count(), 1);
    assert_eq!(world.worker.next_deadline(), None);
}

fn counts_return_to_zero(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("");
    let exchanges: Vec<_> = (0..100).map(|_| begin(&handle)).collect();
    for (i, exchange) in exchanges.iter().enumerate() {
        if i % 2 == 0 {
            exchange.context.on_request_headers(true);
        }
    }
    assert_eq!(world.worker.context_count(), 101);
    exchanges[..50].iter().for_each(crate::world::Exchange::end);
    assert_eq!(world.worker.context_count(), 51);
    drop(exchanges);
    assert_eq!(world.worker.context_count(), 1);
    world.worker.shutdown(&[]);
    assert_eq!(world.worker.context_count(), 0);
    drop(handle);
    assert_eq!(world.stat("wasm.wasm_vm_count"), Some(sandgate_host::Stat::Gauge(0)));
}

fn log_lines_have_the_right_prefix(runtime: &Runtime) {
    let world = World::new(runtime);
    let script = "on configure, request_headers:\n  say \"a\\nb\"\non request_headers:\n  log(6, \"no\")\n  quiet fd_write(1, \"out\\n\")\n  quiet fd_write(2, \"err\")\n  quiet fd_write(1, \"\")\n  quiet fd_write(1, \"\\n\")\n  quiet log(2, \"\\xff\")";
    let mut config = world.config(script);
    let plugin = world.load(config.clone()).unwrap();
    world.log.take();
    let handle = world.worker.plugin_handle(&plugin).unwrap();
    begin(&handle).context.on_request_headers(true);
    let lines: Vec<_> = world.log.take().into_iter().map(|(level, line)| format!("{level:?} {line}")).collect();
    assert_eq!(
        lines,
        [
            "Info wasm log my_root my_vm: configure: a\nb",
            "Info wasm log my_plugin my_root my_vm: request_headers: a\nb",
            "Info wasm log my_plugin my_root my_vm: request_headers: log(6, \"no\") = 2",
            "Info wasm log my_plugin my_root my_vm: out",
            "Error wasm log my_plugin my_root my_vm: err",
            "Info wasm log my_plugin my_root my_vm: ",
            r"Info wasm log my_plugin my_root my_vm: \xff",
        ]
    );
    config.name.clear();
    config.root_id.clear();
    config.vm.vm_id.clear();
    let handle = world.plugin(config);
    begin(&handle).context.on_request_headers(true);
    assert_eq!(world.log.take()[0].1, "wasm log: request_headers: a\nb");
}

fn the_log_level_filters(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on request_headers:\n  $l = get_log_level()\n  say $l");
    *world.log.off.lock().unwrap() = true;
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(world.said(), [""; 0]);
    *world.log.off.lock().unwrap() = false;
    begin(&handle).context.on_request_headers(true);
    assert_eq!(world.said(), ["request_headers: get_log_level() = 0 0", "request_headers: 0"]);
}
