//! Section 8: requests that are malformed. Each is a stream error of type `PROTOCOL_ERROR` (section 8.1.1).

use crate::connection::{Connection, get, post, with};
use crate::frame::{END_HEADERS, END_STREAM, WHOLE, code, data, headers};
use crate::hpack::block;

type Fields = Vec<(&'static str, &'static str)>;

fn refused(frames: &[Vec<u8>]) {
    let mut connection = Connection::open();
    connection.send(frames.concat());
    connection.expect_stream_error(1, &[code::PROTOCOL_ERROR]);
}

/// A request without a body.
fn refused_fields(fields: Fields) {
    refused(&[headers(1, WHOLE, block(fields))]);
}

/// `GET /` without a field.
fn without(name: &str) -> Fields {
    get().into_iter().filter(|field| field.0 != name).collect()
}

// === 8.1: framing of messages ===

#[test]
fn s8_1_second_headers_that_do_not_end_the_stream() {
    let trailers = headers(1, END_HEADERS, block([("x-test", "ok")]));
    refused(&[headers(1, END_HEADERS, block(post())), data(1, 0, "test"), trailers]);
}

#[test]
fn s8_1_1_a_body_that_differs_from_its_length() {
    let head = headers(1, END_HEADERS, block(with(post(), ("content-length", "1"))));
    refused(&[head, data(1, END_STREAM, "test")]);
}

#[test]
fn s8_1_1_a_body_in_parts_that_differs_from_its_length() {
    let head = headers(1, END_HEADERS, block(with(post(), ("content-length", "1"))));
    refused(&[head, data(1, 0, "test"), data(1, END_STREAM, "test")]);
}

#[test]
fn s8_1_1_a_body_shorter_than_its_length() {
    let head = headers(1, END_HEADERS, block(with(post(), ("content-length", "10"))));
    refused(&[head, data(1, END_STREAM, "test")]);
}

#[test]
fn s8_1_1_no_body_although_there_is_a_length() {
    refused_fields(with(post(), ("content-length", "1")));
}

#[test]
fn s8_1_1_a_length_that_is_no_number() {
    refused_fields(with(post(), ("content-length", "x")));
}

// === 8.2: fields ===

#[test]
fn s8_2_1_an_uppercase_name() {
    refused_fields(with(get(), ("X-TEST", "ok")));
}

#[test]
fn s8_2_1_an_empty_name() {
    refused_fields(with(get(), ("", "ok")));
}

#[test]
fn s8_2_1_a_name_with_a_space() {
    refused_fields(with(get(), ("x test", "ok")));
}

#[test]
fn s8_2_1_a_name_with_a_colon() {
    refused_fields(with(get(), ("x:test", "ok")));
}

#[test]
fn s8_2_1_a_value_with_a_line_feed() {
    refused_fields(with(get(), ("x-test", "a\nb")));
}

#[test]
fn s8_2_1_a_value_with_a_carriage_return() {
    refused_fields(with(get(), ("x-test", "a\rb")));
}

#[test]
fn s8_2_1_a_value_with_a_zero() {
    refused_fields(with(get(), ("x-test", "a\0b")));
}

#[test]
fn s8_2_2_connection() {
    refused_fields(with(get(), ("connection", "keep-alive")));
}

#[test]
fn s8_2_2_keep_alive() {
    refused_fields(with(get(), ("keep-alive", "timeout=5")));
}

#[test]
fn s8_2_2_proxy_connection() {
    refused_fields(with(get(), ("proxy-connection", "keep-alive")));
}

#[test]
fn s8_2_2_transfer_encoding() {
    refused_fields(with(get(), ("transfer-encoding", "chunked")));
}

#[test]
fn s8_2_2_upgrade() {
    refused_fields(with(get(), ("upgrade", "websocket")));
}

#[test]
fn s8_2_2_te_other_than_trailers() {
    refused_fields(with(get(), ("te", "trailers, deflate")));
}

#[test]
fn s8_2_2_te_trailers_is_allowed() {
    let mut connection = Connection::open();
    connection.send(headers(1, WHOLE, block(with(get(), ("te", "trailers")))));
    connection.expect_ok(1);
}

// === 8.3: pseudo-header fields ===

#[test]
fn s8_3_an_unknown_pseudo_header() {
    refused_fields(with(get(), (":test", "ok")));
}

#[test]
fn s8_3_a_pseudo_header_of_responses() {
    refused_fields(with(get(), (":status", "200")));
}

#[test]
fn s8_3_a_pseudo_header_in_trailers() {
    let trailers = headers(1, END_HEADERS, block([(":method", "POST")]));
    refused(&[headers(1, END_HEADERS, block(post())), data(1, 0, "test"), trailers]);
}

#[test]
fn s8_3_a_pseudo_header_after_others() {
    let mut fields = vec![("x-test", "ok")];
    fields.extend(get());
    refused_fields(fields);
}

#[test]
fn s8_3_1_an_empty_path() {
    refused_fields(with(without(":path"), (":path", "")));
}

#[test]
fn s8_3_1_no_method() {
    refused_fields(without(":method"));
}

#[test]
fn s8_3_1_no_scheme() {
    refused_fields(without(":scheme"));
}

#[test]
fn s8_3_1_no_path() {
    refused_fields(without(":path"));
}

#[test]
fn s8_3_1_two_methods() {
    refused_fields(with(get(), (":method", "GET")));
}

#[test]
fn s8_3_1_two_schemes() {
    refused_fields(with(get(), (":scheme", "http")));
}

#[test]
fn s8_3_1_two_paths() {
    refused_fields(with(get(), (":path", "/")));
}

#[test]
fn s8_3_1_two_authorities() {
    refused_fields(with(get(), (":authority", "a.com")));
}

#[test]
fn s8_3_1_no_pseudo_headers() {
    refused_fields(vec![("x-test", "ok")]);
}
