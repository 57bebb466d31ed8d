//! What every client may send: h2spec's section `generic`.

use crate::connection::{Connection, PREFACE, get, never, post, request, with};
use crate::frame::{
    ACK, END_HEADERS, END_STREAM, PADDED, PRIORITIZED, WHOLE, code, continuation, data, go_away, headers, kind, ping,
    priority, priority_fields, rst_stream, setting, settings, window_update,
};
use crate::hpack::{Indexing, block, coded, huffman, indexed, literal, plain, table_size};
use crate::target::{BODY, target};

/// Sends frames of stream 1 that are a request, and wants it answered.
fn answered(frames: &[Vec<u8>]) {
    let mut connection = Connection::open();
    connection.send(frames.concat());
    connection.expect_ok(1);
}

/// The same with a header block that begins with `before` and ends with `after`.
fn answered_block(before: &[u8], after: &[u8]) {
    answered(&[headers(1, WHOLE, [before, &block(get()), after].concat())]);
}

fn whole_get(stream: u32) -> Vec<u8> {
    headers(stream, WHOLE, block(get()))
}

// === 1: starting HTTP/2 ===

#[test]
fn g1_the_preface_is_accepted() {
    let mut connection = Connection::raw(target());
    connection.send([PREFACE, &settings(&[])].concat());
    connection.wait("settings", |frame| frame.kind == kind::SETTINGS && !frame.has(ACK));
}

// === 2: streams and multiplexing ===

#[test]
fn g2_priority_on_an_idle_stream() {
    let mut connection = Connection::open();
    connection.send(priority(1, 0, false, 255));
    connection.expect_alive();
}

#[test]
fn g2_window_update_on_a_half_closed_stream() {
    let mut connection = Connection::open_to(target(), &[(setting::INITIAL_WINDOW_SIZE, 0)]);
    connection.send([whole_get(1), window_update(1, 1)].concat());
    let (frame, _) = connection.wait("data", |frame| frame.kind == kind::DATA && !frame.payload.is_empty());
    assert_eq!(frame.payload, &BODY.as_bytes()[..1]);
}

#[test]
fn g2_priority_on_a_half_closed_stream() {
    let mut connection = Connection::open_to(target(), &[(setting::INITIAL_WINDOW_SIZE, 0)]);
    connection.send([whole_get(1), priority(1, 0, false, 255), window_update(1, 10)].concat());
    connection.expect_ok(1);
}

#[test]
fn g2_rst_stream_on_a_half_closed_stream() {
    let mut connection = Connection::open();
    connection.send([headers(1, WHOLE, never()), rst_stream(1, code::CANCEL)].concat());
    connection.expect_alive();
}

#[test]
fn g2_priority_on_a_closed_stream() {
    let mut connection = Connection::open();
    connection.send(whole_get(1));
    connection.expect_ok(1);
    connection.send(priority(1, 0, false, 255));
    connection.expect_alive();
}

// === 3.1: DATA ===

#[test]
fn g3_1_a_data_frame() {
    answered(&[headers(1, END_HEADERS, block(post())), data(1, END_STREAM, "test")]);
}

#[test]
fn g3_1_several_data_frames() {
    answered(&[headers(1, END_HEADERS, block(post())), data(1, 0, "test"), data(1, END_STREAM, "test")]);
}

#[test]
fn g3_1_a_data_frame_with_padding() {
    let padded = data(1, END_STREAM | PADDED, b"\x06testpadded");
    answered(&[headers(1, END_HEADERS, block(post())), padded]);
}

// === 3.2: HEADERS ===

#[test]
fn g3_2_a_headers_frame() {
    answered(&[whole_get(1)]);
}

#[test]
fn g3_2_a_headers_frame_with_padding() {
    answered(&[headers(1, WHOLE | PADDED, [&[8], &block(get())[..], &[0; 8]].concat())]);
}

#[test]
fn g3_2_a_headers_frame_with_priority() {
    answered(&[headers(1, WHOLE | PRIORITIZED, [priority_fields(0, false, 255), block(get())].concat())]);
}

// === 3.3: PRIORITY ===

#[test]
fn g3_3_priority_1() {
    answered(&[priority(1, 0, false, 0), whole_get(1)]);
}

#[test]
fn g3_3_priority_256() {
    answered(&[priority(1, 0, false, 255), whole_get(1)]);
}

#[test]
fn g3_3_priority_with_a_dependency() {
    answered(&[priority(3, 1, false, 0), whole_get(1)]);
}

#[test]
fn g3_3_exclusive_priority() {
    answered(&[priority(1, 0, true, 0), whole_get(1)]);
}

#[test]
fn g3_3_priority_of_a_higher_stream() {
    answered(&[priority(3, 0, false, 255), whole_get(1)]);
}

// === 3.4 to 3.10: the other frames ===

#[test]
fn g3_4_rst_stream() {
    let mut connection = Connection::open();
    connection.send([headers(1, END_HEADERS, block(post())), rst_stream(1, code::CANCEL)].concat());
    connection.expect_alive();
}

#[test]
fn g3_5_settings() {
    let mut connection = Connection::open();
    connection.set(&[
        (setting::HEADER_TABLE_SIZE, 4096),
        (setting::ENABLE_PUSH, 1),
        (setting::MAX_CONCURRENT_STREAMS, 100),
        (setting::INITIAL_WINDOW_SIZE, 65_535),
        (setting::MAX_FRAME_SIZE, 16_384),
        (setting::MAX_HEADER_LIST_SIZE, 100),
    ]);
}

#[test]
fn g3_7_ping() {
    let mut connection = Connection::open();
    connection.send(ping(0, *b"01234567"));
    let (frame, _) = connection.wait("the answer", |frame| frame.kind == kind::PING);
    assert!(frame.has(ACK) && frame.payload == b"01234567", "{frame:?}");
}

#[test]
fn g3_8_go_away() {
    let mut connection = Connection::open();
    connection.send(go_away(0, code::NO_ERROR, b"bye"));
    connection.expect_closed();
}

#[test]
fn g3_9_window_update_of_the_connection() {
    let mut connection = Connection::open_to(target(), &[(setting::INITIAL_WINDOW_SIZE, 1)]);
    connection.send([window_update(0, 1), whole_get(1)].concat());
    let (frame, _) = connection.wait("data", |frame| frame.kind == kind::DATA && !frame.payload.is_empty());
    assert_eq!(frame.payload.len(), 1);
}

#[test]
fn g3_9_window_update_of_a_stream() {
    let mut connection = Connection::open_to(target(), &[(setting::INITIAL_WINDOW_SIZE, 1)]);
    connection.send([whole_get(1), window_update(1, 100)].concat());
    let response = connection.response(1);
    assert_eq!(response.body, BODY.as_bytes());
}

#[test]
fn g3_10_continuation() {
    let more = block([("x-dummy", "1")]);
    answered(&[headers(1, END_STREAM, block(get())), continuation(1, END_HEADERS, more)]);
}

#[test]
fn g3_10_several_continuations() {
    let more = block([("x-dummy", "1")]);
    answered(&[headers(1, END_STREAM, block(get())), continuation(1, 0, &more), continuation(1, END_HEADERS, &more)]);
}

// === 4: HTTP message exchanges ===

#[test]
fn g4_get() {
    let mut connection = Connection::open();
    connection.send(whole_get(1));
    let response = connection.response(1);
    assert_eq!((response.status, &response.body[..]), (200, BODY.as_bytes()));
    assert!(response.fields.contains(&("content-length".into(), BODY.len().to_string())), "{:?}", response.fields);
}

#[test]
fn g4_head() {
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE, block(request("HEAD", "/"))));
    let (frame, fields) = connection.wait("headers", |frame| frame.kind == kind::HEADERS);
    assert!(frame.has(END_STREAM) && fields.contains(&(":status".into(), "200".into())), "{frame:?} {fields:?}");
}

#[test]
fn g4_post() {
    answered(&[headers(1, END_HEADERS, block(post())), data(1, END_STREAM, "test")]);
}

#[test]
fn g4_post_with_trailers() {
    answered(&[
        headers(1, END_HEADERS, block(with(post(), ("trailer", "x-test")))),
        data(1, 0, "test"),
        headers(1, WHOLE, block([("x-test", "ok")])),
    ]);
}

// === 5: HPACK ===

/// Literals whose name is a string; `name` and `value` are strings of the block.
fn new_name(indexing: Indexing, name: Vec<u8>, value: Vec<u8>) {
    answered_block(&[], &literal(indexing, 0, &[name, value]));
}

/// Literals whose name is `user-agent` of the static table.
fn known_name(indexing: Indexing, value: Vec<u8>) {
    answered_block(&[], &literal(indexing, 58, &[value]));
}

fn coded_text(text: &str) -> Vec<u8> {
    coded(&huffman(text))
}

#[test]
fn g5_an_indexed_field() {
    answered_block(&[], &indexed(16));
}

#[test]
fn g5_an_indexed_field_of_the_dynamic_table() {
    let mut after = literal(Indexing::Incremental, 0, &[plain("x-test"), plain("1")]);
    after.extend(indexed(62));
    answered_block(&[], &after);
}

#[test]
fn g5_incremental_indexing_with_a_known_name() {
    known_name(Indexing::Incremental, plain("h2spec"));
}

#[test]
fn g5_incremental_indexing_with_a_known_name_and_huffman_code() {
    known_name(Indexing::Incremental, coded_text("h2spec"));
}

#[test]
fn g5_incremental_indexing_with_a_new_name() {
    new_name(Indexing::Incremental, plain("x-test"), plain("h2spec"));
}

#[test]
fn g5_incremental_indexing_with_a_new_name_and_huffman_code() {
    new_name(Indexing::Incremental, coded_text("x-test"), coded_text("h2spec"));
}

#[test]
fn g5_no_indexing_with_a_known_name() {
    known_name(Indexing::Without, plain("h2spec"));
}

#[test]
fn g5_no_indexing_with_a_known_name_and_huffman_code() {
    known_name(Indexing::Without, coded_text("h2spec"));
}

#[test]
fn g5_no_indexing_with_a_new_name() {
    new_name(Indexing::Without, plain("x-test"), plain("h2spec"));
}

#[test]
fn g5_no_indexing_with_a_new_name_and_huffman_code() {
    new_name(Indexing::Without, coded_text("x-test"), coded_text("h2spec"));
}

#[test]
fn g5_never_indexed_with_a_known_name() {
    known_name(Indexing::Never, plain("h2spec"));
}

#[test]
fn g5_never_indexed_with_a_known_name_and_huffman_code() {
    known_name(Indexing::Never, coded_text("h2spec"));
}

#[test]
fn g5_never_indexed_with_a_new_name() {
    new_name(Indexing::Never, plain("x-test"), plain("h2spec"));
}

#[test]
fn g5_never_indexed_with_a_new_name_and_huffman_code() {
    new_name(Indexing::Never, coded_text("x-test"), coded_text("h2spec"));
}

#[test]
fn g5_a_table_size_update() {
    answered_block(&table_size(0), &[]);
}

#[test]
fn g5_several_table_size_updates() {
    answered_block(&[table_size(0), table_size(4096)].concat(), &[]);
}
