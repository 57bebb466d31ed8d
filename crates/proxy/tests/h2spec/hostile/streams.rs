//! Clients that begin and do not go on.

use std::net::Shutdown;

use crate::connection::{Connection, PREFACE, get, request};
use crate::frame::{END_HEADERS, WHOLE, data, headers, kind, ping, settings};
use crate::hpack::block;
use crate::target::{CONFIG, Proxy};

fn with(field: &str) -> String {
    CONFIG.replace("codec_type: HTTP2", &format!("codec_type: HTTP2\n          {field}"))
}

/// An idle timeout that soon passes.
fn soon_idle() -> Proxy {
    Proxy::new(&with("common_http_protocol_options: { idle_timeout: 0.3s }"))
}

#[test]
fn nothing_is_sent() {
    let proxy = soon_idle();
    Connection::raw(proxy.address()).expect_closed();
    proxy.expect_idle();
}

#[test]
fn half_a_preface() {
    let proxy = soon_idle();
    let mut client = Connection::raw(proxy.address());
    client.send(&PREFACE[..10]);
    client.expect_closed();
    proxy.expect_idle();
}

#[test]
fn a_preface_without_settings() {
    let proxy = soon_idle();
    let mut client = Connection::raw(proxy.address());
    client.send(PREFACE);
    client.expect_closed();
    proxy.expect_idle();
}

#[test]
fn half_a_frame() {
    let proxy = soon_idle();
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(&ping(0, [0; 8])[..12]);
    client.expect_closed();
    proxy.expect_idle();
}

#[test]
fn half_a_preface_and_the_end() {
    let proxy = Proxy::new(CONFIG);
    for length in 0..=PREFACE.len() {
        let mut client = Connection::raw(proxy.address());
        client.send(&PREFACE[..length]);
        client.stream.shutdown(Shutdown::Write).unwrap();
        client.expect_closed();
    }
    proxy.expect_idle();
    proxy.expect_serving();
}

#[test]
fn a_preface_byte_by_byte() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::raw(proxy.address());
    for byte in [PREFACE, &settings(&[]), &headers(1, WHOLE, block(get()))].concat() {
        client.send([byte]);
    }
    client.expect_ok(1);
}

#[test]
fn bodies_that_do_not_end() {
    let proxy = Proxy::new(&with("stream_idle_timeout: 0.5s"));
    let mut client = Connection::open_to(proxy.address(), &[]);
    for stream in (1..200).step_by(2) {
        client.send([headers(stream, END_HEADERS, block(request("POST", "/"))), data(stream, 0, "x")].concat());
    }
    for _ in 0..100 {
        client.wait("an end", |frame| frame.kind == kind::RST_STREAM || frame.has(crate::frame::END_STREAM));
    }
    proxy.expect_stat("http.in.downstream_rq_idle_timeout", 100);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    client.expect_alive();
}

#[test]
fn a_block_that_is_not_completed() {
    let proxy = soon_idle();
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(headers(1, 0, block(get())));
    client.expect_closed();
    proxy.expect_idle();
}
