//! Sections 6.5 to 6.8 and 7: SETTINGS, PUSH_PROMISE, PING, GOAWAY, error codes.

use crate::connection::{Connection, get};
use crate::frame::{ACK, END_HEADERS, WHOLE, code, frame, go_away, headers, kind, ping, rst_stream, setting, settings};
use crate::hpack::block;

/// Frames that are an error of the connection.
fn refused(frames: &[Vec<u8>], code: u32) {
    let mut connection = Connection::open();
    connection.send(frames.concat());
    connection.expect_connection_error(&[code]);
}

// === 6.5: SETTINGS ===

#[test]
fn s6_5_an_acknowledgement_with_settings() {
    refused(&[frame(kind::SETTINGS, ACK, 0, &[0])], code::FRAME_SIZE_ERROR);
}

#[test]
fn s6_5_settings_of_a_stream() {
    refused(
        &[frame(kind::SETTINGS, 0, 1, &settings(&[(setting::MAX_CONCURRENT_STREAMS, 100)])[9..])],
        code::PROTOCOL_ERROR,
    );
}

#[test]
fn s6_5_settings_of_another_length() {
    refused(&[frame(kind::SETTINGS, 0, 0, &[0, 3, 0])], code::FRAME_SIZE_ERROR);
}

#[test]
fn s6_5_2_enable_push_of_2() {
    refused(&[settings(&[(setting::ENABLE_PUSH, 2)])], code::PROTOCOL_ERROR);
}

#[test]
fn s6_5_2_a_window_that_is_too_large() {
    refused(&[settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)])], code::FLOW_CONTROL_ERROR);
}

#[test]
fn s6_5_2_frames_that_are_too_small() {
    refused(&[settings(&[(setting::MAX_FRAME_SIZE, 16_383)])], code::PROTOCOL_ERROR);
}

#[test]
fn s6_5_2_frames_that_are_too_large() {
    refused(&[settings(&[(setting::MAX_FRAME_SIZE, 1 << 24)])], code::PROTOCOL_ERROR);
}

#[test]
fn s6_5_2_an_unknown_setting() {
    let mut connection = Connection::open();
    connection.set(&[(0xff, 1)]);
    connection.expect_alive();
}

#[test]
fn s6_5_3_settings_are_taken_in_order() {
    let mut connection = Connection::open();
    connection.set(&[(setting::INITIAL_WINDOW_SIZE, 100), (setting::INITIAL_WINDOW_SIZE, 1)]);
    connection.send(headers(1, WHOLE, block(get())));
    let (frame, _) = connection.wait("data", |frame| frame.kind == kind::DATA && !frame.payload.is_empty());
    assert_eq!(frame.payload.len(), 1);
}

#[test]
fn s6_5_3_settings_are_acknowledged() {
    let mut connection = Connection::open();
    connection.send(settings(&[(setting::ENABLE_PUSH, 0)]));
    let (frame, _) = connection.wait("the acknowledgement", |frame| frame.kind == kind::SETTINGS);
    assert!(frame.has(ACK) && frame.payload.is_empty(), "{frame:?}");
}

// === 6.6, 8.4: PUSH_PROMISE ===

#[test]
fn s8_4_a_push_promise_of_a_client() {
    let payload = [&2_u32.to_be_bytes()[..], &block(get())].concat();
    refused(
        &[headers(1, END_HEADERS, block(get())), frame(kind::PUSH_PROMISE, END_HEADERS, 1, &payload)],
        code::PROTOCOL_ERROR,
    );
}

// === 6.7: PING ===

#[test]
fn s6_7_a_ping_is_answered() {
    let mut connection = Connection::open();
    connection.send(ping(0, *b"h2spec!!"));
    let (frame, _) = connection.wait("the answer", |frame| frame.kind == kind::PING);
    assert!(frame.has(ACK) && frame.payload == b"h2spec!!", "{frame:?}");
}

#[test]
fn s6_7_an_answer_is_not_answered() {
    let mut connection = Connection::open();
    connection.send([ping(ACK, *b"invalid!"), ping(0, *b"h2spec!!")].concat());
    let (frame, _) = connection.wait("the answer", |frame| frame.kind == kind::PING);
    assert!(frame.has(ACK) && frame.payload == b"h2spec!!", "{frame:?}");
}

#[test]
fn s6_7_a_ping_of_a_stream() {
    refused(&[frame(kind::PING, 0, 3, &[0; 8])], code::PROTOCOL_ERROR);
}

#[test]
fn s6_7_a_ping_of_another_length() {
    refused(&[frame(kind::PING, 0, 0, &[0; 6])], code::FRAME_SIZE_ERROR);
}

// === 6.8: GOAWAY ===

#[test]
fn s6_8_go_away_of_a_stream() {
    let payload = &go_away(0, code::NO_ERROR, b"")[9..];
    refused(&[frame(kind::GOAWAY, 0, 1, payload)], code::PROTOCOL_ERROR);
}

#[test]
fn s6_8_a_request_in_flight_is_answered_after_go_away() {
    let mut connection = Connection::open();
    connection.send([headers(1, WHOLE, block(get())), go_away(0, code::NO_ERROR, b"")].concat());
    connection.expect_ok(1);
    connection.expect_closed();
}

// === 7: error codes ===

#[test]
fn s7_go_away_with_an_unknown_code() {
    let mut connection = Connection::open();
    connection.send(go_away(0, 0xff, b""));
    connection.expect_closed();
}

#[test]
fn s7_rst_stream_with_an_unknown_code() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_HEADERS, block(get())), rst_stream(1, 0xff)].concat());
    connection.expect_alive();
}
