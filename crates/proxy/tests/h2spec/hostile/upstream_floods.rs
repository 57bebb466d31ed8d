//! Upstreams that send without end, or never go on.

use super::upstreams::{WELL, ask, before, ok, seen};
use super::{Outcome, flood};
use crate::connection::Connection;
use crate::frame::{
    END_HEADERS, code, continuation, data, headers, kind, ping, rst_stream, setting, settings, window_update,
};
use crate::hpack::block;

const LIMIT: usize = 64 * 1024 * 1024;

/// Sends `first`, then `part` without end and reads nothing: the request fails.
fn fails(
    first: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
    part: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
) {
    seen("HTTP/1.1 50", move |connection, stream| {
        connection.send(first(stream));
        assert_eq!(flood(connection, &part(stream), LIMIT), Outcome::Closed);
        false
    });
}

#[test]
fn a_block_that_does_not_end() {
    let first = |stream| headers(stream, 0, block([(":status", "200")]));
    fails(first, |stream| continuation(stream, 0, block([("x-a", "b".repeat(100))])));
}

#[test]
fn empty_continuations() {
    fails(|stream| headers(stream, 0, block([(":status", "200")])), |stream| continuation(stream, 0, ""));
}

/// Sends `part` without end and reads nothing, with a request open. The proxy stops to read or closes, the client leaves, nothing stays.
fn stopped(part: Vec<u8>) {
    let proxy = before("timeout: 3s", &[], move |connection, _| {
        assert_ne!(flood(connection, &part, LIMIT), Outcome::Taken);
        // The connection stays, until the proxy closes it.
        connection.drain();
        false
    });
    let answer = ask(&proxy, "GET", "");
    assert!(answer.starts_with("HTTP/1.1 50"), "{answer}");
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}

#[test]
fn pings_whose_answers_are_not_read() {
    stopped(ping(0, [0; 8]));
}

#[test]
fn settings_whose_acknowledgements_are_not_read() {
    stopped(settings(&[(setting::MAX_CONCURRENT_STREAMS, 100)]));
}

#[test]
fn informational_responses() {
    let script = |connection: &mut Connection, stream: u32| {
        let informational = headers(stream, END_HEADERS, block([(":status", "103"), ("link", "x")]));
        connection.send(informational.repeat(2000));
        connection.send(ok(stream));
        true
    };
    let proxy = before("timeout: 0s", &[], script);
    let answer = ask(&proxy, "GET", "");
    assert!(answer.contains(WELL), "{}", &answer[..answer.len().min(500)]);
    proxy.expect_idle();
}

#[test]
fn no_window_for_the_request() {
    let proxy = before("timeout: 0.5s", &[(setting::INITIAL_WINDOW_SIZE, 0)], |connection, stream| {
        if stream == 1 {
            connection.send(ok(stream));
        } else {
            let (frame, _) = connection.wait("any frame", |frame| frame.stream == stream);
            assert_eq!(frame.kind, kind::RST_STREAM);
        }
        true
    });
    // The first request goes before the window is known.
    assert!(ask(&proxy, "GET", "").starts_with(WELL));
    let answer = ask(&proxy, "POST", "body");
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert_eq!(proxy.stat("cluster.up.upstream_cx_total"), 1);
    proxy.expect_idle();
}

#[test]
fn a_window_of_a_byte_at_a_time() {
    let proxy = before("timeout: 0s", &[(setting::INITIAL_WINDOW_SIZE, 1)], |connection, stream| {
        if stream == 1 {
            connection.send(ok(stream));
            return true;
        }
        let mut body = Vec::new();
        while body.len() < 20 {
            let (frame, _) = connection.wait("data", |frame| frame.kind == kind::DATA);
            assert!(frame.payload.len() <= 1);
            body.extend(frame.payload);
            connection.send(window_update(stream, 1));
        }
        assert_eq!(body, b"01234567890123456789");
        connection.send(ok(stream));
        true
    });
    // The first request goes before the window is known.
    assert!(ask(&proxy, "GET", "").starts_with(WELL));
    let answer = ask(&proxy, "POST", "01234567890123456789");
    assert!(answer.starts_with(WELL), "{answer}");
    proxy.expect_idle();
}

#[test]
fn no_streams_allowed() {
    let proxy = before("timeout: 1s", &[(setting::MAX_CONCURRENT_STREAMS, 0)], |connection, stream| {
        // The first request may come before the setting does.
        connection.send(rst_stream(stream, code::REFUSED_STREAM));
        true
    });
    for _ in 0..3 {
        let answer = ask(&proxy, "GET", "");
        assert!(answer.starts_with("HTTP/1.1 50"), "{answer}");
    }
    proxy.expect_idle();
}

#[test]
fn no_answer() {
    let proxy = before("timeout: 0.3s", &[], |connection, stream| {
        connection.wait("a reset", |frame| frame.kind == kind::RST_STREAM && frame.stream == stream);
        true
    });
    for _ in 0..5 {
        let answer = ask(&proxy, "GET", "");
        assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    }
    assert_eq!(proxy.stat("cluster.up.upstream_cx_total"), 1);
    proxy.expect_idle();
}

#[test]
fn data_that_does_not_end_and_a_client_that_leaves() {
    let proxy = before("timeout: 1s", &[], |connection, stream| {
        connection.send(headers(stream, END_HEADERS, block([(":status", "200")])));
        // Beyond the windows: the proxy must not take it.
        flood(connection, &data(stream, 0, [b'x'; 16_384]), LIMIT);
        connection.drain();
        false
    });
    ask(&proxy, "GET", "");
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}

#[test]
fn empty_data() {
    let proxy = before("timeout: 1s", &[], |connection, stream| {
        connection.send(headers(stream, END_HEADERS, block([(":status", "200")])));
        flood(connection, &data(stream, 0, ""), LIMIT);
        connection.drain();
        false
    });
    let answer = ask(&proxy, "GET", "");
    assert!(answer.starts_with(WELL), "{answer}");
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}
