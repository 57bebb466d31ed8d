//! Many frames that cost the server more than the client.

use super::{Outcome, flood};
use crate::connection::{Connection, PREFACE, get, never, request};
use crate::frame::{
    END_HEADERS, PADDED, WHOLE, code, continuation, data, frame, go_away, headers, kind, ping, priority, rst_stream,
    setting, settings, window_update,
};
use crate::hpack::block;
use crate::target::{CONFIG, Proxy};

const MIB: usize = 1024 * 1024;

/// A client that sends `first`, then `part` without end and does not read; the server must stop it. Counted in `stat`.
fn stopped(first: &[u8], part: &[u8], stat: &str) {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(first);
    assert_eq!(flood(&mut client, part, 64 * MIB), Outcome::Closed);
    proxy.expect_stat(stat, 1);
    proxy.expect_idle();
    proxy.expect_serving();
}

fn open_post() -> Vec<u8> {
    headers(1, END_HEADERS, block(request("POST", "/never")))
}

#[test]
fn empty_data() {
    stopped(&open_post(), &data(1, 0, ""), "http2.inbound_empty_frames_flood");
}

#[test]
fn data_of_padding_only() {
    // It counts as content: the windows are the limit.
    let padding = [&[255][..], &[0; 255]].concat();
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(open_post());
    assert_ne!(flood(&mut client, &data(1, PADDED, padding), 64 * MIB), Outcome::Taken);
    drop(client);
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn priorities() {
    stopped(&open_post(), &priority(1, 0, false, 5), "http2.inbound_priority_frames_flood");
}

#[test]
fn priorities_of_idle_streams() {
    stopped(&[], &priority(7, 0, false, 5), "http2.inbound_priority_frames_flood");
}

#[test]
fn window_updates_of_a_stream() {
    stopped(&open_post(), &window_update(1, 1), "http2.inbound_window_update_frames_flood");
}

#[test]
fn window_updates_of_the_connection() {
    stopped(&[], &window_update(0, 1), "http2.inbound_window_update_frames_flood");
}

#[test]
fn pings_whose_answers_are_not_read() {
    stopped(&[], &ping(0, *b"01234567"), "http2.outbound_control_flood");
}

#[test]
fn settings_whose_acknowledgements_are_not_read() {
    stopped(&[], &settings(&[(setting::MAX_CONCURRENT_STREAMS, 100)]), "http2.outbound_control_flood");
}

#[test]
fn streams_that_are_refused_and_the_refusals_not_read() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    let block = never();
    let mut outcome = Outcome::Taken;
    for chunk in 0..2000_u32 {
        let frames: Vec<_> = (0..500).flat_map(|at| headers(2 * (chunk * 500 + at) + 1, WHOLE, &block)).collect();
        outcome = flood(&mut client, &frames, 1);
        if outcome != Outcome::Taken {
            break;
        }
    }
    assert_ne!(outcome, Outcome::Taken);
    proxy.expect_serving();
    drop(client);
    proxy.expect_idle();
}

#[test]
fn rapid_resets() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    let block = never();
    let pair = |stream| [headers(stream, WHOLE, &block), rst_stream(stream, code::CANCEL)].concat();
    let frames: Vec<_> = (0..5000).flat_map(|at| pair(2 * at + 1)).collect();
    client.send(frames);
    client.expect_closed();
    assert!(proxy.stat("http.in.downstream_rq_total") < 2000, "{}", proxy.stat("http.in.downstream_rq_total"));
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn rapid_resets_one_by_one() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    let block = never();
    for at in 0..5000 {
        let pair = [headers(2 * at + 1, WHOLE, &block), rst_stream(2 * at + 1, code::CANCEL), ping(0, [0; 8])].concat();
        if !client.try_send(pair) || !client.answers_ping() {
            break;
        }
    }
    client.expect_closed();
    assert!(proxy.stat("http.in.downstream_rq_total") < 2000, "{}", proxy.stat("http.in.downstream_rq_total"));
    proxy.expect_stat("http.in.downstream_rq_too_many_premature_resets", 1);
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn resets_that_the_server_has_to_send() {
    // Each request is malformed: the server resets it, and the client goes on.
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    let wrong = block(get().into_iter().chain([("connection", "close")]));
    let frames: Vec<_> = (0..20_000).flat_map(|at| headers(2 * at + 1, WHOLE, &wrong)).collect();
    client.send(frames);
    client.expect_closed();
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn empty_continuations() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(headers(1, 0, block(get())));
    assert_eq!(flood(&mut client, &continuation(1, 0, ""), 64 * MIB), Outcome::Closed);
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn go_aways_and_unknown_frames_end_with_the_client() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    let frames = [go_away(0, code::NO_ERROR, &[b'x'; 1000]), frame(0x16, 0xff, 1, &[0; 1000])].concat();
    flood(&mut client, &frames, 4 * MIB);
    proxy.expect_serving();
    drop(client);
    proxy.expect_idle();
}

#[test]
fn pings_before_anything_else() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::raw(proxy.address());
    client.send(PREFACE);
    assert_ne!(flood(&mut client, &ping(0, [0; 8]), 64 * MIB), Outcome::Taken);
    proxy.expect_serving();
    drop(client);
    proxy.expect_idle();
}

#[test]
fn a_push_promise_flood_is_refused_at_once() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(open_post());
    let promise = frame(kind::PUSH_PROMISE, END_HEADERS, 1, &[&2_u32.to_be_bytes()[..], &block(get())].concat());
    assert_eq!(flood(&mut client, &promise, 64 * MIB), Outcome::Closed);
    proxy.expect_idle();
    proxy.expect_serving();
}
