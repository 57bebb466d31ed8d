//! Header maps: what may be seen and changed when.

use crate::on_every_engine;
use crate::stream::{Asked, MockStream, body, headers, pairs};
use crate::world::{Runtime, World, begin, begin_with};

on_every_engine! {
    request_headers_vanish_after_continue
    a_stopped_request_keeps_its_headers
    the_log_phase_reads_everything_and_writes_nothing
    what_done_and_delete_see
    the_log_phase_keeps_what_was_stopped
    a_root_has_no_maps
    reading_headers
    changing_request_headers_clears_the_route
    changing_response_headers_does_not
    malformed_pairs_empty_the_map
    trailers_can_be_made_at_the_end_of_a_body
    trailers_are_seen_in_their_callback
}

const PROBE_MAPS: &str = "\n  get_header_map_value(0, \"x-a\")\n  get_header_map_value(2, \":status\")\n  get_header_map_pairs(2)\n  get_header_map_size(0)\n  add_header_map_value(0, \"x-n\", \"1\")\n";

fn statuses(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split_once(" = ").map_or("", |(_, result)| result)).collect()
}

fn request_headers_vanish_after_continue(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(&format!("on request_headers, request_body, response_headers:{PROBE_MAPS}"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    assert_eq!(statuses(&world.said()), ["0 \"1\"", "2", "0 {}", "0 55", "0"]);
    exchange.context.on_request_body(&mut body("x"), true);
    assert_eq!(statuses(&world.said()), ["2", "2", "0 {}", "2", "2"]);
    exchange.respond(&[(":status", "200"), ("server", "s")]);
    exchange.context.on_response_headers(true);
    let answer = "0 {\":status\": \"200\", \"server\": \"s\"}";
    assert_eq!(statuses(&world.said()), ["2", "0 \"200\"", answer, "2", "2"]);
}

fn a_stopped_request_keeps_its_headers(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle =
        world.script(&format!("on request_headers:\n  return 1\non response_headers, response_body:{PROBE_MAPS}"));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(false);
    assert_eq!(statuses(&world.said()), ["0 \"1\"", "0 \"200\"", "0 {\":status\": \"200\"}", "0 55", "0"]);
    exchange.context.on_response_body(&mut body("x"), true);
    assert_eq!(statuses(&world.said()), ["0 \"1\"", "2", "0 {}", "0 59", "0"]);
}

fn the_log_phase_reads_everything_and_writes_nothing(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(&format!(
        "on log:{PROBE_MAPS}  get_header_map_value(0, \"nope\")\n  get_header_map_value(3, \"t\")\n  get_header_map_value(1, \"t\")\n  get_header_map_value(6, \"t\")"
    ));
    let exchange = begin(&handle);
    *exchange.stream.request_trailers.borrow_mut() = Some(headers(&[("t", "1")]));
    exchange.context.on_request_headers(true);
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_log();
    assert_eq!(
        statuses(&world.said()),
        ["0 \"1\"", "0 \"200\"", "0 {\":status\": \"200\"}", "2", "2", "1", "1", "1", "1"]
    );
    assert_eq!(pairs(exchange.stream.request_headers.borrow().as_ref().unwrap()).len(), 6);
}

fn the_log_phase_keeps_what_was_stopped(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(&format!(
        "on request_headers:\n  return 1\non log:{PROBE_MAPS}  continue_stream(0)\n  get_header_map_size(0)"
    ));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.context.on_log();
    assert_eq!(statuses(&world.said()), ["0 \"1\"", "1", "0 {}", "0 55", "0", "0", "2"]);
    assert_eq!(exchange.stream.asked(), [Asked::ClearRouteCache]);
}

fn what_done_and_delete_see(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(&format!(
        "on request_headers:\n  return $eos\non done, delete when $context != $root:{PROBE_MAPS}  get_property([\"request\", \"path\"])\n  get_property([\"connection_id\"]) as len\n  get_buffer_bytes(0, 0, 9)\n  set_property(\"k\", \"v\")"
    ));
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    exchange.context.on_destroy();
    let gone = ["2", "2", "0 {}", "2", "2", "1", "0 8 bytes", "0 \"\"", "0"];
    assert_eq!(statuses(&world.said()), [gone, gone].concat());
    // Stopped headers are there to the end, as in Envoy.
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.context.on_destroy();
    let said = world.said();
    let done = ["0 \"1\"", "2", "0 {}", "0 55", "0", "0 \"/a?q=1\"", "0 8 bytes", "0 \"\"", "0"];
    assert_eq!(statuses(&said)[..done.len()], done);
}

fn a_root_has_no_maps(runtime: &Runtime) {
    let world = World::new(runtime);
    let plugin = world.load(world.config(&format!("on configure:{PROBE_MAPS}"))).unwrap();
    world.log.take();
    let _handle = world.worker.plugin_handle(&plugin).unwrap();
    assert_eq!(statuses(&world.said()), ["2", "2", "0 {}", "2", "2"]);
}

fn reading_headers(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  get_header_map_value(0, \"X-A\")\n  get_header_map_value(0, \"empty\")\n  get_header_map_value(0, \"no\")\n  \
         get_header_map_value(9, \"x\")\n  get_header_map_pairs(9)\n  get_header_map_value(5, \"x\")\n  get_header_map_pairs(0)",
    );
    let stream = MockStream::get("/");
    *stream.request_headers.borrow_mut() = Some(headers(&[("x-a", "1"), ("empty", ""), ("x-a", "2")]));
    let exchange = begin_with(&handle, stream);
    exchange.context.on_request_headers(true);
    assert_eq!(
        statuses(&world.said()),
        ["0 \"1\"", "0 \"\"", "1", "2", "2", "2", "0 {\"x-a\": \"1\", \"empty\": \"\", \"x-a\": \"2\"}"]
    );
}

fn changing_request_headers_clears_the_route(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  add_header_map_value(0, \"X-B\", \"3\")\n  replace_header_map_value(0, \"x-a\", \"9\")\n  \
         remove_header_map_value(0, \"missing\")\n  remove_header_map_value(0, \":scheme\")",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(statuses(&world.said()), ["0"; 4]);
    let left = pairs(exchange.stream.request_headers.borrow().as_ref().unwrap());
    let left: Vec<_> = left.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(left, [(":authority", "h.com"), (":path", "/a?q=1"), (":method", "GET"), ("x-b", "3"), ("x-a", "9")]);
    assert_eq!(exchange.stream.asked(), vec![Asked::ClearRouteCache; 4]);
}

fn changing_response_headers_does_not(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on response_headers:\n  set_header_map_pairs(2, {\":status\": \"201\", \"a\": \"b\"})");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.respond(&[(":status", "200")]);
    exchange.context.on_response_headers(true);
    let left = pairs(exchange.stream.response_headers.borrow().as_ref().unwrap());
    assert_eq!(left, [(":status".into(), "201".into()), ("a".into(), "b".into())]);
    assert_eq!(exchange.stream.asked(), []);
}

fn malformed_pairs_empty_the_map(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("on request_headers:\n  set_header_map_pairs(0, \"\\x01\\x00\")");
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    assert_eq!(statuses(&world.said()), ["0"]);
    assert!(exchange.stream.request_headers.borrow().as_ref().unwrap().is_empty());
}

fn trailers_can_be_made_at_the_end_of_a_body(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_body:\n  get_header_map_value(1, \"t\")\n  add_header_map_value(1, \"t\", \"v\")\n  get_header_map_value(1, \"t\")",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    exchange.context.on_request_body(&mut body("x"), false);
    assert_eq!(statuses(&world.said()), ["2", "2", "2"]);
    assert!(exchange.stream.request_trailers.borrow().is_none());
    exchange.context.on_request_body(&mut body(""), true);
    assert_eq!(statuses(&world.said()), ["2", "0", "0 \"v\""]);
    assert!(exchange.stream.request_trailers.borrow().is_some());
    // The same in a response.
    let handle = world.script("on response_body:\n  add_header_map_value(3, \"t\", \"v\")\n  get_header_map_pairs(3)");
    let response = begin(&handle);
    response.context.on_request_headers(true);
    response.context.on_response_body(&mut body("x"), false);
    response.context.on_response_body(&mut body("x"), true);
    assert_eq!(statuses(&world.said()), ["2", "0 {}", "0", "0 {\"t\": \"v\"}"]);
    // A stream that has passed that point refuses.
    let late = begin(&world.script("on request_body:\n  add_header_map_value(1, \"t\", \"v\")"));
    late.stream.trailers_allowed.set(false);
    late.context.on_request_headers(false);
    late.context.on_request_body(&mut body(""), true);
    assert_eq!(statuses(&world.said()), ["2"]);
}

fn trailers_are_seen_in_their_callback(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on response_trailers:\n  get_header_map_value(3, \"t\")\n  replace_header_map_value(3, \"t\", \"2\")\n  get_header_map_value(2, \":status\")\n  get_property([\"response\", \"trailers\", \"t\"])",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.respond(&[(":status", "200")]);
    *exchange.stream.response_trailers.borrow_mut() = Some(headers(&[("t", "1")]));
    exchange.context.on_response_headers(false);
    exchange.context.on_response_trailers();
    assert_eq!(statuses(&world.said()), ["0 \"1\"", "0", "2", "0 \"2\""]);
}
