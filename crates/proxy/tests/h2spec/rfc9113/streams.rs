//! Sections 5.1 to 5.3: the states of streams, their identifiers, how many there may be, priorities.

use crate::connection::{Connection, get, never, post};
use crate::frame::{
    END_HEADERS, END_STREAM, PRIORITIZED, WHOLE, code, continuation, data, headers, priority, priority_fields,
    rst_stream, setting, window_update,
};
use crate::hpack::block;
use crate::target::target;

const CLOSED: &[u32] = &[code::STREAM_CLOSED];
const CLOSED_OR_PROTOCOL: &[u32] = &[code::STREAM_CLOSED, code::PROTOCOL_ERROR];
const PROTOCOL: &[u32] = &[code::PROTOCOL_ERROR];

fn more() -> Vec<u8> {
    block([("x-dummy", "1")])
}

/// The first frame of a connection: the stream is idle.
fn idle(bytes: &[u8]) {
    let mut connection = Connection::open();
    connection.send(bytes);
    connection.expect_connection_error(PROTOCOL);
}

/// A frame after the request has ended and while it is not answered.
fn half_closed(bytes: &[u8], codes: &[u32]) {
    let mut connection = Connection::open();
    connection.send([&headers(1, WHOLE, never())[..], bytes].concat());
    connection.expect_stream_error(1, codes);
}

/// A frame after the client has reset the stream.
fn reset(bytes: &[u8], codes: &[u32]) {
    let mut connection = Connection::open();
    let frames = [headers(1, END_HEADERS, never()), rst_stream(1, code::CANCEL)].concat();
    connection.send([&frames[..], bytes].concat());
    connection.expect_stream_error(1, codes);
}

/// A frame after both sides have ended the stream. RFC 9113 allows an error of the stream where RFC 7540 wanted one of the connection.
fn closed(bytes: &[u8], codes: &[u32]) {
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE, block(get())));
    connection.expect_ok(1);
    connection.send(bytes);
    connection.expect_stream_error(1, codes);
}

// === 5.1: idle ===

#[test]
fn s5_1_idle_data() {
    idle(&data(1, END_STREAM, "test"));
}

#[test]
fn s5_1_idle_rst_stream() {
    idle(&rst_stream(1, code::CANCEL));
}

#[test]
fn s5_1_idle_window_update() {
    idle(&window_update(1, 100));
}

#[test]
fn s5_1_idle_continuation() {
    idle(&continuation(1, END_HEADERS, block(get())));
}

// === 5.1: half-closed (remote) ===

#[test]
fn s5_1_half_closed_data() {
    half_closed(&data(1, END_STREAM, "test"), CLOSED);
}

#[test]
fn s5_1_half_closed_headers() {
    half_closed(&headers(1, WHOLE, block(get())), CLOSED);
}

#[test]
fn s5_1_half_closed_continuation() {
    half_closed(&continuation(1, END_HEADERS, block(get())), CLOSED_OR_PROTOCOL);
}

// === 5.1: closed ===

#[test]
fn s5_1_reset_data() {
    reset(&data(1, END_STREAM, "test"), CLOSED);
}

#[test]
fn s5_1_reset_headers() {
    reset(&headers(1, WHOLE, block(get())), CLOSED);
}

#[test]
fn s5_1_reset_continuation() {
    reset(&continuation(1, END_HEADERS, more()), CLOSED_OR_PROTOCOL);
}

#[test]
fn s5_1_closed_data() {
    closed(&data(1, END_STREAM, "test"), CLOSED);
}

#[test]
fn s5_1_closed_headers() {
    closed(&headers(1, WHOLE, block(get())), CLOSED);
}

#[test]
fn s5_1_closed_continuation() {
    closed(&continuation(1, END_HEADERS, more()), CLOSED_OR_PROTOCOL);
}

#[test]
fn s5_1_closed_window_update_is_ignored() {
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE, block(get())));
    connection.expect_ok(1);
    connection.send([window_update(1, 1), rst_stream(1, code::CANCEL)].concat());
    connection.expect_alive();
}

// === 5.1.1: identifiers ===

#[test]
fn s5_1_1_an_even_stream() {
    idle(&headers(2, WHOLE, block(get())));
}

#[test]
fn s5_1_1_a_lower_stream() {
    let mut connection = Connection::open();
    connection.send([headers(5, WHOLE, never()), headers(3, WHOLE, block(get()))].concat());
    connection.expect_connection_error(PROTOCOL);
}

#[test]
fn s5_1_1_a_stream_that_is_half_closed() {
    let mut connection = Connection::open();
    connection.send([headers(5, WHOLE, never()), headers(5, WHOLE, block(get()))].concat());
    connection.expect_stream_error(5, CLOSED);
}

#[test]
fn s5_1_1_the_highest_stream() {
    let mut connection = Connection::open();
    connection.send(headers(0x7fff_ffff, WHOLE, block(get())));
    connection.expect_ok(0x7fff_ffff);
}

// === 5.1.2: concurrency ===

#[test]
fn s5_1_2_more_streams_than_allowed() {
    let mut connection = Connection::open();
    let limit = *connection.settings.get(&setting::MAX_CONCURRENT_STREAMS).expect("the server has a limit");
    let last = 2 * limit + 1;
    let requests: Vec<_> = (1..=last).step_by(2).map(|stream| headers(stream, WHOLE, never())).collect();
    connection.send(requests.concat());
    connection.expect_stream_error(last, &[code::PROTOCOL_ERROR, code::REFUSED_STREAM]);
}

#[test]
fn s5_1_2_a_stream_that_ended_makes_room() {
    let mut connection = Connection::open_to(target(), &[]);
    let limit = *connection.settings.get(&setting::MAX_CONCURRENT_STREAMS).expect("the server has a limit");
    let requests: Vec<_> = (1..2 * limit).step_by(2).map(|stream| headers(stream, WHOLE, never())).collect();
    connection.send(requests.concat());
    connection.send(rst_stream(1, code::CANCEL));
    connection.expect_alive();
    connection.send(headers(2 * limit + 1, WHOLE, block(get())));
    connection.expect_ok(2 * limit + 1);
}

// === 5.3.1: dependencies ===

#[test]
fn s5_3_1_headers_that_depend_on_themselves() {
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE | PRIORITIZED, [priority_fields(1, false, 255), block(get())].concat()));
    connection.expect_stream_error(1, PROTOCOL);
}

#[test]
fn s5_3_1_a_priority_that_depends_on_itself() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_HEADERS, block(post())), priority(1, 1, false, 255)].concat());
    connection.expect_stream_error(1, PROTOCOL);
}
