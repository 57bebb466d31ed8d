//! Bodies and the other buffers.

use sandgate_http::DataStatus;

use crate::on_every_engine;
use crate::stream::{body, text};
use crate::world::{Runtime, World, begin};

on_every_engine! {
    a_piece_can_be_read_and_replaced
    the_ways_to_change_a_body
    buffering_shows_the_total
    a_buffered_body_can_be_changed_later
    a_full_buffer_spares_the_guest
    configurations_are_read_when_envoy_lets_them
    other_buffers
    bodies_are_bounded
}

fn a_piece_can_be_read_and_replaced(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on response_body:\n  get_buffer_status(1)\n  get_buffer_bytes(1, 1, 3)\n  get_buffer_bytes(1, 3, 0xffffffff)\n  get_buffer_bytes(1, 5, 1)\n  \
         get_buffer_bytes(1, 0xffffffff, 0xffffffff)\n  get_buffer_bytes(0, 0, 9)\n  set_buffer_bytes(0, 0, 9, \"no\")\n  set_buffer_bytes(1, 0, $size, \"new\")",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(true);
    let mut data = body("abc");
    data.push(bytes::Bytes::from_static(b"de"));
    assert_eq!(exchange.context.on_response_body(&mut data, false), DataStatus::Continue);
    assert_eq!(text(&data), "new");
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(" = ").unwrap().1).collect();
    assert_eq!(results, ["0 5 0", "0 \"bcd\"", "0 \"de\"", "0 \"\"", "0 \"\"", "0 \"\"", "2", "0"]);
}

fn the_ways_to_change_a_body(runtime: &Runtime) {
    let world = World::new(runtime);
    for (start, size, status, left) in [
        (0, 5, 0, "new"),
        (0, 9, 0, "new"),
        (0, 0, 0, "newabcde"),
        (0, 2, 0, "newcde"),
        (5, 0, 0, "abcdenew"),
        (0x7fff_ffff_u32, 0, 0, "abcdenew"),
        (2, 2, 2, "abcde"),
    ] {
        let handle =
            world.script(&format!("on request_body:\n  set_buffer_bytes(0, {start}, {size}, \"new\") as status"));
        let exchange = begin(&handle);
        exchange.context.on_request_headers(false);
        let mut data = body("abcde");
        exchange.context.on_request_body(&mut data, true);
        assert_eq!(text(&data), left, "{start} {size}");
        assert!(world.said()[0].ends_with(&format!(" = {status}")), "{start} {size}");
    }
}

fn buffering_shows_the_total(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_body:\n  get_buffer_bytes(0, 0, $size)\n  if not $eos: return 1\n  set_buffer_bytes(0, 0, $size, \"all new\")",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    let mut chain = Vec::new();
    for (piece, end) in [("ab", false), ("cd", false), ("", true)] {
        let mut data = body(piece);
        let status = exchange.context.on_request_body(&mut data, end);
        // What the chain does with a piece that is to be kept.
        if status == DataStatus::StopIterationAndBuffer {
            exchange.stream.request_buffer.borrow_mut().append(&mut data);
        }
        chain.push(status);
    }
    assert_eq!(chain, [DataStatus::StopIterationAndBuffer, DataStatus::StopIterationAndBuffer, DataStatus::Continue]);
    assert_eq!(text(&exchange.stream.request_buffer.borrow()), "all new");
    let said = world.said();
    let seen: Vec<_> = said.iter().map(|line| line.split_once(" = ").unwrap().1).collect();
    assert_eq!(seen, ["0 \"ab\"", "0 \"abcd\"", "0 \"abcd\"", "0"]);
}

fn a_buffered_body_can_be_changed_later(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on configure:\n  quiet set_tick_period_milliseconds(1)\non request_body:\n  $waiting = $context\n  return 1\n\
         on tick:\n  quiet set_effective_context($waiting)\n  get_buffer_bytes(0, 0, 99)\n  set_buffer_bytes(0, 0, 0, \"pre\")\n  continue_stream(0)",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    let mut data = body("abc");
    exchange.context.on_request_body(&mut data, true);
    exchange.stream.request_buffer.borrow_mut().append(&mut data);
    world.pass(1);
    assert_eq!(world.said()[0], "tick: get_buffer_bytes(0, 0, 99) = 0 \"abc\"");
    assert_eq!(text(&exchange.stream.request_buffer.borrow()), "preabc");
    assert_eq!(exchange.stream.asked().len(), 1);
}

fn a_full_buffer_spares_the_guest(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script("trace\non request_body:\n  return 1");
    let exchange = begin(&handle);
    exchange.stream.buffer_limit.set(Some(3));
    exchange.context.on_request_headers(false);
    exchange.context.on_request_body(&mut body("ab"), false);
    world.said();
    assert_eq!(exchange.context.on_request_body(&mut body("cdef"), false), DataStatus::StopIterationAndBuffer);
    assert_eq!(world.said(), [""; 0]);
}

fn configurations_are_read_when_envoy_lets_them(runtime: &Runtime) {
    let world = World::new(runtime);
    let read = "\n  get_buffer_bytes(6, 0, 3) as len\n  get_buffer_bytes(7, 0, 2) as len\n  set_buffer_bytes(6, 0, 0, \"\")\n  set_buffer_bytes(7, 0, 0, \"\")\n";
    let mut config = world.config(&format!("on request_headers:{read}"));
    config.vm.configuration = format!("on vm_start, configure:{read}").into();
    let plugin = world.load(config).unwrap();
    world.log.take();
    let handle = world.worker.plugin_handle(&plugin).unwrap();
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(") = ").unwrap().1).collect();
    assert_eq!(
        results,
        [
            ["0 3 bytes", "1", "2", "1"],         // vm_start
            ["0 3 bytes", "0 2 bytes", "2", "2"], // configure
            ["0 3 bytes", "1", "2", "1"],         // request_headers
        ]
        .concat()
    );
}

fn other_buffers(runtime: &Runtime) {
    let world = World::new(runtime);
    let handle = world.script(
        "on request_headers:\n  get_buffer_bytes(2, 0, 9)\n  get_buffer_bytes(3, 0, 9)\n  get_buffer_bytes(4, 0, 9)\n  get_buffer_bytes(5, 0, 9)\n  \
         get_buffer_bytes(8, 0, 9)\n  get_buffer_bytes(9, 0, 9)\n  get_buffer_status(4)\n  get_buffer_status(1)\n  set_buffer_bytes(2, 0, 0, \"\")\n  set_buffer_bytes(4, 0, 0, \"\")\n  set_buffer_bytes(0, 0, 0, \"\")",
    );
    begin(&handle).context.on_request_headers(true);
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(" = ").unwrap().1).collect();
    assert_eq!(results, ["0 \"\"", "0 \"\"", "1", "0 \"\"", "0 \"\"", "2", "1", "0 0 0", "2", "1", "2"]);
}

fn bodies_are_bounded(runtime: &Runtime) {
    let limits = sandgate_host::HostLimits { body_bytes: 8, ..Default::default() };
    let world = World::with_limits(runtime, limits);
    let handle = world.script(
        "on request_body:\n  set_buffer_bytes(0, 99, 0, \"678\")\n  set_buffer_bytes(0, 99, 0, \"9\")\n  set_buffer_bytes(0, 0, 2, \"abc\")\n  set_buffer_bytes(0, 0, 2, \"ab\")\n  set_buffer_bytes(0, 0, 9, \"\")",
    );
    let exchange = begin(&handle);
    exchange.context.on_request_headers(false);
    exchange.context.on_request_body(&mut body("12345"), true);
    let said = world.said();
    let results: Vec<_> = said.iter().map(|line| line.split_once(" = ").unwrap().1).collect();
    assert_eq!(results, ["0", "10", "10", "0", "0"]);
}
