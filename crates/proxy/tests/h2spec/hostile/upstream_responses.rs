//! Responses that are wrong. The client gets a 502 or 503 as from Envoy, or what came before the mistake and then the end.

use std::net::Shutdown;

use super::upstreams::{WELL, ask, before, ok, seen};
use crate::connection::Connection;
use crate::frame::{
    END_HEADERS, END_STREAM, WHOLE, code, data, frame, go_away, headers, kind, ping, rst_stream, setting, settings,
    window_update,
};
use crate::hpack::{Indexing, block, indexed, literal, plain};

/// The script answers with these bytes and keeps the connection.
fn with(bytes: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> impl Fn(&mut Connection, u32) -> bool + Send + Sync {
    move |connection, stream| {
        connection.send(bytes(stream));
        true
    }
}

fn fields(fields: &'static [(&'static str, &'static str)]) -> impl Fn(&mut Connection, u32) -> bool + Send + Sync {
    with(move |stream| headers(stream, WHOLE, block(fields.iter().copied())))
}

const REFUSED: &str = "HTTP/1.1 50";

#[test]
fn a_right_answer() {
    seen(WELL, with(ok));
}

#[test]
fn http_1() {
    seen(REFUSED, with(|_| b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n".to_vec()));
}

#[test]
fn the_end() {
    seen(REFUSED, |connection, _| {
        connection.stream.shutdown(Shutdown::Both).unwrap();
        false
    });
}

#[test]
fn resets_with_any_code() {
    for code in [0, 1, 2, 5, 7, 8, 11, 13, 99] {
        seen(REFUSED, with(move |stream| rst_stream(stream, code)));
    }
}

#[test]
fn a_go_away_that_excludes_the_request() {
    seen(REFUSED, |connection, _| {
        connection.send(go_away(0, code::NO_ERROR, b""));
        connection.expect_closed();
        false
    });
}

#[test]
fn a_go_away_with_an_error() {
    seen(REFUSED, |connection, stream| {
        connection.send(go_away(stream, code::PROTOCOL_ERROR, b"why not"));
        connection.stream.shutdown(Shutdown::Both).unwrap();
        false
    });
}

#[test]
fn an_answer_after_go_away() {
    seen(WELL, with(|stream| [go_away(stream, code::NO_ERROR, b""), ok(stream)].concat()));
}

#[test]
fn no_status() {
    seen(REFUSED, fields(&[("x-a", "1")]));
}

#[test]
fn a_status_that_is_no_number() {
    for status in ["", "abc", "99", "1000", "20x"] {
        seen(REFUSED, with(move |stream| headers(stream, WHOLE, block([(":status", status)]))));
    }
}

#[test]
fn an_uppercase_name() {
    seen(REFUSED, fields(&[(":status", "200"), ("X-A", "1")]));
}

#[test]
fn a_pseudo_header_of_requests() {
    seen(REFUSED, fields(&[(":status", "200"), (":path", "/secret")]));
}

#[test]
fn a_connection_header() {
    seen(REFUSED, fields(&[(":status", "200"), ("transfer-encoding", "chunked")]));
}

#[test]
fn a_line_feed_in_a_value() {
    seen(REFUSED, fields(&[(":status", "200"), ("x-a", "b\r\nx-c: d")]));
}

#[test]
fn a_block_that_cannot_be_decoded() {
    seen(REFUSED, with(|stream| headers(stream, WHOLE, [0x40])));
}

#[test]
fn a_bomb_of_indexed_fields() {
    let entry = literal(Indexing::Incremental, 0, &[plain("x-a"), plain("v".repeat(3900))]);
    let bomb = [block([(":status", "200")]), entry, indexed(62).repeat(10_000)].concat();
    seen(REFUSED, with(move |stream| headers(stream, WHOLE, &bomb)));
}

#[test]
fn data_before_headers() {
    seen(REFUSED, with(|stream| data(stream, END_STREAM, "x")));
}

#[test]
fn a_response_nobody_asked_for() {
    seen(REFUSED, with(|stream| ok(stream + 100)));
}

#[test]
fn a_push() {
    let promise = |stream| {
        let payload = [&2_u32.to_be_bytes()[..], &block([(":method", "GET"), (":path", "/")])].concat();
        frame(kind::PUSH_PROMISE, END_HEADERS, stream, &payload)
    };
    seen(REFUSED, with(promise));
}

#[test]
fn settings_that_are_wrong() {
    for values in [[(setting::INITIAL_WINDOW_SIZE, 1 << 31)], [(setting::MAX_FRAME_SIZE, 1)]] {
        seen(REFUSED, with(move |_| settings(&values)));
    }
}

#[test]
fn a_window_that_overflows() {
    seen(REFUSED, with(|_| [window_update(0, (1 << 31) - 1), window_update(0, (1 << 31) - 1)].concat()));
}

#[test]
fn a_frame_that_is_too_large() {
    seen(REFUSED, with(|_| frame(kind::PING, 0, 0, &[0; 20_000])));
}

#[test]
fn a_body_longer_than_its_length() {
    let head = |stream| headers(stream, END_HEADERS, block([(":status", "200"), ("content-length", "1")]));
    seen("HTTP/1.1 ", with(move |stream| [head(stream), data(stream, END_STREAM, "long")].concat()));
}

#[test]
fn a_body_shorter_than_its_length() {
    let head = |stream| headers(stream, END_HEADERS, block([(":status", "200"), ("content-length", "10")]));
    seen("HTTP/1.1 ", with(move |stream| [head(stream), data(stream, END_STREAM, "short")].concat()));
}

#[test]
fn a_reset_within_the_body() {
    let head = |stream| headers(stream, END_HEADERS, block([(":status", "200")]));
    seen(WELL, with(move |stream| [head(stream), data(stream, 0, "part"), rst_stream(stream, code::CANCEL)].concat()));
}

#[test]
fn second_headers_that_do_not_end() {
    let head = |stream| headers(stream, END_HEADERS, block([(":status", "200")]));
    let more = |stream| headers(stream, END_HEADERS, block([("x-a", "1")]));
    seen("HTTP/1.1 ", with(move |stream| [head(stream), data(stream, 0, "part"), more(stream)].concat()));
}

#[test]
fn a_mistake_with_many_streams_open() {
    // The first requests wait; the last one's answer ends the connection for all of them.
    let proxy = before("timeout: 0s", &[], |connection, stream| {
        if stream == 39 {
            connection.send(ping(0, [0; 8]).get(..8).unwrap());
            connection.send([0xff; 64]);
        }
        true
    });
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..20).map(|_| scope.spawn(|| ask(&proxy, "GET", ""))).collect();
        for client in clients {
            let answer = client.join().unwrap();
            assert!(answer.starts_with(REFUSED), "{answer}");
        }
    });
    proxy.expect_idle();
}
