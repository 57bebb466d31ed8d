//! Sections 3, 4 and 5.5: the preface, the form of frames, header blocks, extensions.

use crate::connection::{Connection, PREFACE, get, never, post};
use crate::frame::{
    ACK, END_HEADERS, END_STREAM, WHOLE, code, continuation, data, frame, headers, kind, ping, priority, setting,
    settings,
};
use crate::hpack::block;
use crate::target::target;

fn more() -> Vec<u8> {
    block([("x-dummy", "1")])
}

fn unknown_frame() -> Vec<u8> {
    frame(0x16, 0, 0, &[0; 8])
}

#[test]
fn s3_4_settings_are_the_first_frame() {
    let mut connection = Connection::raw(target());
    connection.send([PREFACE, &settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535)])].concat());
    let (frame, _) = connection.wait("any frame", |_| true);
    assert!(frame.kind == kind::SETTINGS && !frame.has(ACK) && frame.stream == 0, "{frame:?}");
}

#[test]
fn s3_4_an_invalid_preface() {
    let mut connection = Connection::raw(target());
    connection.send("INVALID CONNECTION PREFACE\r\n\r\n");
    connection.expect_closed();
}

#[test]
fn s4_1_an_unknown_frame() {
    let mut connection = Connection::open();
    connection.send(unknown_frame());
    connection.expect_alive();
}

#[test]
fn s4_1_an_undefined_flag() {
    let mut connection = Connection::open();
    connection.send(ping(0x16, [0; 8]));
    connection.wait("the answer", |frame| frame.kind == kind::PING && frame.has(ACK));
}

#[test]
fn s4_1_the_reserved_bit() {
    let mut connection = Connection::open();
    connection.send(frame(kind::PING, 0x16, 0x8000_0000, &[0; 8]));
    connection.wait("the answer", |frame| frame.kind == kind::PING && frame.has(ACK));
}

#[test]
fn s4_2_data_of_the_largest_size() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_HEADERS, block(post())), data(1, END_STREAM, [b'x'; 1 << 14])].concat());
    connection.expect_ok(1);
}

#[test]
fn s4_2_data_that_is_too_large() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_HEADERS, block(post())), data(1, END_STREAM, [b'x'; (1 << 14) + 1])].concat());
    connection.expect_stream_error(1, &[code::FRAME_SIZE_ERROR]);
}

#[test]
fn s4_2_headers_that_are_too_large() {
    let mut connection = Connection::open();
    let value = "x".repeat(1 << 14);
    connection.send(headers(1, WHOLE, [block(get()), block([("x-dummy", &value)])].concat()));
    connection.expect_connection_error(&[code::FRAME_SIZE_ERROR]);
}

#[test]
fn s4_3_an_invalid_block() {
    let mut connection = Connection::open();
    // A literal without its strings.
    connection.send(headers(1, WHOLE, [0x40]));
    connection.expect_connection_error(&[code::COMPRESSION_ERROR]);
}

#[test]
fn s4_3_priority_within_a_block() {
    let mut connection = Connection::open();
    let frames = [headers(1, 0, block(get())), priority(1, 0, false, 255), continuation(1, END_HEADERS, more())];
    connection.send(frames.concat());
    connection.expect_connection_error(&[code::PROTOCOL_ERROR]);
}

#[test]
fn s4_3_headers_of_another_stream_within_a_block() {
    let mut connection = Connection::open();
    let frames = [headers(1, 0, block(get())), headers(3, WHOLE, block(get())), continuation(1, END_HEADERS, more())];
    connection.send(frames.concat());
    connection.expect_connection_error(&[code::PROTOCOL_ERROR]);
}

#[test]
fn s4_3_ping_within_a_block() {
    let mut connection = Connection::open();
    connection.send([headers(1, 0, block(get())), ping(0, [0; 8])].concat());
    connection.expect_connection_error(&[code::PROTOCOL_ERROR]);
}

#[test]
fn s5_4_1_the_connection_is_closed_after_an_error() {
    let mut connection = Connection::open();
    connection.send(frame(kind::PING, 0, 3, &[0; 8]));
    connection.expect_closed();
}

#[test]
fn s5_4_1_an_error_is_told_with_the_last_stream() {
    let mut connection = Connection::open();
    connection.send([headers(5, WHOLE, never()), frame(kind::PING, 0, 3, &[0; 8])].concat());
    let (frame, _) = connection.wait("GOAWAY", |frame| frame.kind == kind::GOAWAY);
    assert_eq!((frame.first_word(), frame.code()), (5, code::PROTOCOL_ERROR));
}

#[test]
fn s5_5_an_unknown_frame_of_a_stream() {
    let mut connection = Connection::open();
    connection.send(
        [headers(1, END_HEADERS, block(post())), frame(0x16, 0xff, 1, b"any"), data(1, END_STREAM, "x")].concat(),
    );
    connection.expect_ok(1);
}

#[test]
fn s5_5_an_unknown_frame_within_a_block() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_STREAM, block(get())), unknown_frame()].concat());
    connection.expect_connection_error(&[code::PROTOCOL_ERROR]);
}
