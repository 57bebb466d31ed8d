//! Section 6.9: WINDOW_UPDATE and windows.

use crate::connection::{Connection, get, never};
use crate::frame::{END_HEADERS, WHOLE, code, frame, headers, kind, setting, settings, window_update};
use crate::hpack::block;
use crate::target::BODY;

const LARGEST: u32 = (1 << 31) - 1;

/// The payload of the next DATA frame that has one.
fn next_data(connection: &mut Connection) -> Vec<u8> {
    connection.wait("data", |frame| frame.kind == kind::DATA && !frame.payload.is_empty()).0.payload
}

#[test]
fn s6_9_an_increment_of_0() {
    let mut connection = Connection::open();
    connection.send(window_update(0, 0));
    connection.expect_connection_error(&[code::PROTOCOL_ERROR]);
}

#[test]
fn s6_9_an_increment_of_0_on_a_stream() {
    let mut connection = Connection::open();
    connection.send([headers(1, WHOLE, never()), window_update(1, 0)].concat());
    connection.expect_stream_error(1, &[code::PROTOCOL_ERROR]);
}

#[test]
fn s6_9_another_length() {
    let mut connection = Connection::open();
    connection.send(frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 1]));
    connection.expect_connection_error(&[code::FRAME_SIZE_ERROR]);
}

#[test]
fn s6_9_1_no_more_than_the_window_is_sent() {
    let mut connection = Connection::open();
    connection.set(&[(setting::INITIAL_WINDOW_SIZE, 1)]);
    connection.send(headers(1, WHOLE, block(get())));
    for at in 0..BODY.len() {
        assert_eq!(next_data(&mut connection), &BODY.as_bytes()[at..=at]);
        connection.expect_alive();
        connection.send(window_update(1, 1));
    }
}

#[test]
fn s6_9_1_the_window_of_the_connection_overflows() {
    let mut connection = Connection::open();
    connection.send([window_update(0, LARGEST), window_update(0, LARGEST)].concat());
    connection.expect_connection_error(&[code::FLOW_CONTROL_ERROR]);
}

#[test]
fn s6_9_1_the_window_of_a_stream_overflows() {
    let mut connection = Connection::open();
    let frames = [headers(1, END_HEADERS, never()), window_update(1, LARGEST), window_update(1, LARGEST)];
    connection.send(frames.concat());
    connection.expect_stream_error(1, &[code::FLOW_CONTROL_ERROR]);
}

#[test]
fn s6_9_2_a_changed_window_counts_for_open_streams() {
    let mut connection = Connection::open();
    connection.set(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    connection.send(headers(1, WHOLE, block(get())));
    connection.wait("headers", |frame| frame.kind == kind::HEADERS);
    connection.set(&[(setting::INITIAL_WINDOW_SIZE, 1)]);
    assert_eq!(next_data(&mut connection).len(), 1);
}

#[test]
fn s6_9_2_windows_may_be_negative() {
    let mut connection = Connection::open();
    connection.set(&[(setting::INITIAL_WINDOW_SIZE, 3)]);
    connection.send(headers(1, WHOLE, block(get())));
    let mut received = 0;
    while received < 3 {
        received += next_data(&mut connection).len();
    }
    // Three bytes are used, so the window is now -1; then 1.
    connection.set(&[(setting::INITIAL_WINDOW_SIZE, 2)]);
    connection.send(window_update(1, 2));
    assert_eq!(next_data(&mut connection).len(), 1);
}

#[test]
fn s6_9_2_a_window_that_is_too_large() {
    let mut connection = Connection::open();
    connection.send(settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)]));
    connection.expect_connection_error(&[code::FLOW_CONTROL_ERROR]);
}

#[test]
fn s6_9_2_a_setting_that_makes_a_window_overflow() {
    let mut connection = Connection::open();
    let frames = [
        headers(1, WHOLE, never()),
        window_update(1, LARGEST - 65_535),
        settings(&[(setting::INITIAL_WINDOW_SIZE, 65_536)]),
    ];
    connection.send(frames.concat());
    connection.expect_connection_error(&[code::FLOW_CONTROL_ERROR]);
}
