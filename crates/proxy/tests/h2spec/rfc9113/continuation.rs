//! Section 6.10: CONTINUATION.

use crate::connection::{Connection, get, post};
use crate::frame::{END_HEADERS, END_STREAM, WHOLE, code, continuation, data, headers};
use crate::hpack::block;

fn more(stream: u32, flags: u8) -> Vec<u8> {
    continuation(stream, flags, block([("x-dummy", "1")]))
}

fn refused(frames: &[Vec<u8>]) {
    let mut connection = Connection::open();
    connection.send(frames.concat());
    connection.expect_connection_error(&[code::PROTOCOL_ERROR]);
}

#[test]
fn s6_10_several_after_headers() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_STREAM, block(get())), more(1, 0), more(1, END_HEADERS)].concat());
    connection.expect_ok(1);
}

#[test]
fn s6_10_a_field_cut_in_pieces() {
    let mut connection = Connection::open();
    let block = block(get());
    let mut frames = headers(1, END_STREAM, &block[..1]);
    for at in 1..block.len() - 1 {
        frames.extend(continuation(1, 0, &block[at..=at]));
    }
    frames.extend(continuation(1, END_HEADERS, &block[block.len() - 1..]));
    connection.send(frames);
    connection.expect_ok(1);
}

#[test]
fn s6_10_followed_by_data() {
    refused(&[headers(1, 0, block(post())), more(1, 0), data(1, END_STREAM, "test")]);
}

#[test]
fn s6_10_of_stream_0() {
    refused(&[headers(1, END_STREAM, block(get())), more(0, END_HEADERS)]);
}

#[test]
fn s6_10_after_headers_that_are_complete() {
    refused(&[headers(1, WHOLE, block(get())), more(1, END_HEADERS)]);
}

#[test]
fn s6_10_after_continuation_that_is_complete() {
    refused(&[headers(1, END_STREAM, block(get())), more(1, END_HEADERS), more(1, END_HEADERS)]);
}

#[test]
fn s6_10_after_data() {
    refused(&[headers(1, END_HEADERS, block(post())), data(1, 0, "test"), more(1, END_HEADERS)]);
}

#[test]
fn s6_10_after_data_within_a_block() {
    refused(&[headers(1, 0, block(post())), data(1, END_STREAM, "test"), more(1, 0), more(0, END_HEADERS)]);
}
