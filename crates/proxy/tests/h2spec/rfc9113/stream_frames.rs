//! Sections 6.1 to 6.4: DATA, HEADERS, PRIORITY, RST_STREAM.

use crate::connection::{Connection, get, never, post, with};
use crate::frame::{
    END_HEADERS, END_STREAM, PADDED, WHOLE, code, continuation, data, frame, headers, kind, priority, rst_stream,
};
use crate::hpack::block;

/// Frames that are an error of the connection.
fn refused(frames: &[Vec<u8>], code: u32) {
    let mut connection = Connection::open();
    connection.send(frames.concat());
    connection.expect_connection_error(&[code]);
}

// === 6.1: DATA ===

#[test]
fn s6_1_data_of_stream_0() {
    refused(&[data(0, END_STREAM, "test")], code::PROTOCOL_ERROR);
}

#[test]
fn s6_1_data_of_a_half_closed_stream() {
    let mut connection = Connection::open();
    connection.send([headers(1, WHOLE, never()), data(1, END_STREAM, "test")].concat());
    connection.expect_stream_error(1, &[code::STREAM_CLOSED]);
}

#[test]
fn s6_1_padding_longer_than_the_data() {
    let head = headers(1, END_HEADERS, block(with(post(), ("content-length", "4"))));
    refused(&[head, data(1, END_STREAM | PADDED, b"\x06Test")], code::PROTOCOL_ERROR);
}

#[test]
fn s6_1_padding_without_its_length() {
    let head = headers(1, END_HEADERS, block(post()));
    let mut connection = Connection::open();
    connection.send([head, data(1, END_STREAM | PADDED, b"")].concat());
    connection.expect_connection_error(&[code::PROTOCOL_ERROR, code::FRAME_SIZE_ERROR]);
}

// === 6.2: HEADERS ===

#[test]
fn s6_2_priority_within_a_block() {
    let more = continuation(1, END_HEADERS, block([("x-dummy", "1")]));
    refused(&[headers(1, 0, block(get())), priority(1, 0, false, 255), more], code::PROTOCOL_ERROR);
}

#[test]
fn s6_2_headers_of_another_stream_within_a_block() {
    let more = continuation(1, END_HEADERS, block([("x-dummy", "1")]));
    refused(&[headers(1, 0, block(get())), headers(3, WHOLE, block(get())), more], code::PROTOCOL_ERROR);
}

#[test]
fn s6_2_headers_of_stream_0() {
    refused(&[headers(0, WHOLE, block(get()))], code::PROTOCOL_ERROR);
}

#[test]
fn s6_2_padding_longer_than_the_block() {
    let block = block(get());
    let padding = u8::try_from(block.len() + 1).unwrap();
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE | PADDED, [&[padding], &block[..]].concat()));
    connection.expect_stream_error(1, &[code::PROTOCOL_ERROR]);
}

// === 6.3: PRIORITY ===

#[test]
fn s6_3_priority_of_stream_0() {
    refused(&[priority(0, 0, false, 255)], code::PROTOCOL_ERROR);
}

#[test]
fn s6_3_priority_of_another_length() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_HEADERS, block(post())), frame(kind::PRIORITY, 0, 1, &[0x80, 0, 0, 1])].concat());
    connection.expect_stream_error(1, &[code::FRAME_SIZE_ERROR]);
}

// === 6.4: RST_STREAM ===

#[test]
fn s6_4_rst_stream_of_stream_0() {
    refused(&[rst_stream(0, code::CANCEL)], code::PROTOCOL_ERROR);
}

#[test]
fn s6_4_rst_stream_of_an_idle_stream() {
    refused(&[rst_stream(1, code::CANCEL)], code::PROTOCOL_ERROR);
}

#[test]
fn s6_4_rst_stream_of_another_length() {
    refused(&[headers(1, WHOLE, never()), frame(kind::RST_STREAM, 0, 1, &[0; 3])], code::FRAME_SIZE_ERROR);
}
