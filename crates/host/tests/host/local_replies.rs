//! Local responses, continue and close.

use sandgate_http::{DataStatus, Direction, HeadersStatus};

use crate::on_every_engine;
use crate::stream::{Asked, body};
use crate::world::{Runtime, World, begin};

on_every_engine! {
    a_reply_is_made_once_the_guest_has_returned
    it_is_the_stream_that_ignores_a_second_reply
    replying_for_a_root_stops_and_does_nothing
    late_replies_and_closes_do_nothing
    continue_and_close
    what_a_guest_asked_for_is_done_in_order
}

fn a_reply_is_made_once_the_guest_has_returned(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  send_local_response(403, \"my de\\ttails\", \"no\", {\"x-r\": \"1\", \"x-r\": \"2\"}, -1)\n  return 0\n\
         on response_headers:\n  send_local_response(500, \"\", \"\", {}, 5)",
    );
    let exchange = begin(&handle);
    assert_eq!(exchange.context.on_request_headers(false), HeadersStatus::StopAllIterationAndWatermark);
    let replies = exchange.stream.replies();
    let [reply] = &replies[..] else { panic!("{replies:?}") };
    assert_eq!((reply.status, reply.body.as_slice(), reply.grpc_status), (403, b"no".as_slice(), None));
    assert_eq!(reply.details, "my_de_tails");
    assert_eq!(reply.headers, [(b"x-r".to_vec(), b"1".to_vec()), (b"x-r".to_vec(), b"2".to_vec())]);
    // The reply passes the plugin's own response callbacks, which may replace it.
    exchange.respond(&[(":status", "403")]);
    assert_eq!(exchange.context.on_response_headers(false), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(exchange.stream.replies().iter().map(|reply| reply.status).collect::<Vec<_>>(), [403, 500]);
}

fn it_is_the_stream_that_ignores_a_second_reply(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_body:\n  send_local_response(200, \"\", \"1\", {}, 7)\n  send_local_response(201, \"\", \"2\", {}, -1)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    assert_eq!(exchange.context.on_request_body(&mut body("x"), true), DataStatus::StopIterationNoBuffer);
    assert!(world.said().iter().all(|line| line.ends_with(" = 0")));
    let replies = exchange.stream.replies();
    assert_eq!(replies.iter().map(|r| (r.status, r.grpc_status)).collect::<Vec<_>>(), [(200, Some(7)), (201, None)]);
}

fn replying_for_a_root_stops_and_does_nothing(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  quiet set_effective_context($root)\n  send_local_response(403, \"\", \"\", {}, -1)",
    );
    let exchange = begin(&handle);
    assert_eq!(exchange.context.on_request_headers(true), HeadersStatus::StopAllIterationAndWatermark);
    assert_eq!(world.said(), ["request_headers: send_local_response(403, \"\", \"\", {}, -1) = 0"]);
    assert_eq!(exchange.stream.asked(), []);
    // The flag does not outlive the callback.
    assert_eq!(exchange.context.on_request_body(&mut body("x"), true), DataStatus::Continue);
}

fn late_replies_and_closes_do_nothing(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on log, done, delete when $context != $root:\n  send_local_response(403, \"\", \"\", {}, -1)\n  close_stream(0)\n  close_stream(1)\n  continue_stream(0)\n  continue_stream(1)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    exchange.end();
    let said = world.said();
    assert_eq!(said.len(), 15);
    assert!(said.iter().all(|line| line.ends_with(" = 0")), "{said:?}");
    assert_eq!(exchange.stream.asked(), []);
}

fn continue_and_close(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  continue_stream(1)\n  continue_stream(2)\n  continue_stream(3)\n  continue_stream(4)\n  close_stream(2)\n  close_stream(3)\n  close_stream(4)\n  close_stream(1)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(" = ").unwrap().1).collect();
    assert_eq!(results, ["0", "0", "12", "2", "0", "0", "2", "0"]);
    assert_eq!(exchange.stream.asked(), [Asked::Resume(Direction::Response), Asked::Close("wasm_close_stream".into())]);
}

fn what_a_guest_asked_for_is_done_in_order(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on configure:\n  quiet set_tick_period_milliseconds(1)\non request_headers:\n  $last = $context\n  return 1\n\
         on tick:\n  quiet set_effective_context($last - 1)\n  continue_stream(0)\n  quiet set_effective_context($last)\n  close_stream(0)\n  send_local_response(418, \"\", \"\", {}, -1)",
    );
    let first = begin(&handle);
    let second = begin(&handle);
    first.context.on_request_headers(true);
    second.context.on_request_headers(true);
    // A stream that ends before the tick is not touched.
    world.pass(1);
    assert_eq!(first.stream.asked(), [Asked::Resume(Direction::Request)]);
    let asked = second.stream.asked();
    assert!(matches!(&asked[..], [Asked::Close(_), Asked::Reply(reply)] if reply.status == 418), "{asked:?}");
}
