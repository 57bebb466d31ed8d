//! Clients that do not read, or hardly: nothing is kept for them beyond what the limits of buffers say.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::{Outcome, flood};
use crate::connection::{Connection, get, request};
use crate::frame::{END_HEADERS, END_STREAM, WHOLE, code, data, headers, kind, rst_stream, setting, window_update};
use crate::hpack::block;
use crate::target::{CONFIG, Proxy, eventually, upstream_of};

/// What sockets and the proxy may hold for one stream.
const BOUND: usize = 24 * 1024 * 1024;

/// An upstream that answers with a body that does not end, and how much of it was taken.
fn endless() -> (SocketAddr, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let address = upstream_of(move |mut stream| {
        let mut chunk = vec![b'x'; 64 * 1024];
        let _ = stream.read(&mut chunk);
        chunk.fill(b'x');
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n");
        while let Ok(written @ 1..) = stream.write(&chunk) {
            count.fetch_add(written, SeqCst);
        }
    });
    (address, taken)
}

/// Waits until nothing more is taken.
fn settled(taken: &AtomicUsize) -> usize {
    let (mut last, mut since) = (0, Instant::now());
    eventually("the upstream is blocked", || {
        let now = taken.load(SeqCst);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        now > 0 && since.elapsed() > Duration::from_millis(300)
    });
    last
}

#[test]
fn a_client_without_windows() {
    let (upstream, taken) = endless();
    let proxy = Proxy::before(upstream, CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[(setting::INITIAL_WINDOW_SIZE, 0)]);
    client.send((0..4).flat_map(|at| headers(2 * at + 1, WHOLE, block(get()))).collect::<Vec<_>>());
    assert!(settled(&taken) < 4 * BOUND);
    for stream in [1, 3, 5, 7] {
        client.send(rst_stream(stream, code::CANCEL));
    }
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    client.expect_alive();
}

#[test]
fn a_client_that_never_reads() {
    let (upstream, taken) = endless();
    let proxy = Proxy::before(upstream, CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[(setting::INITIAL_WINDOW_SIZE, (1 << 31) - 1)]);
    client.send([headers(1, WHOLE, block(get())), window_update(0, (1 << 31) - 1 - 65_535)].concat());
    assert!(settled(&taken) < 2 * BOUND);
    drop(client);
    proxy.expect_idle();
}

#[test]
fn a_client_that_never_reads_is_not_waited_for_without_end() {
    let (upstream, _) = endless();
    let config = CONFIG.replace("codec_type: HTTP2", "codec_type: HTTP2\n          stream_idle_timeout: 0.5s");
    let proxy = Proxy::before(upstream, &config);
    let mut client = Connection::open_to(proxy.address(), &[(setting::INITIAL_WINDOW_SIZE, 0)]);
    client.send(headers(1, WHOLE, block(get())));
    client.wait("a reset", |frame| frame.kind == kind::RST_STREAM && frame.stream == 1);
    proxy.expect_stat("http.in.downstream_rq_idle_timeout", 1);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    client.expect_alive();
}

#[test]
fn a_window_of_one_byte() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[(setting::INITIAL_WINDOW_SIZE, 1)]);
    for stream in (1..200).step_by(2) {
        client.send(headers(stream, WHOLE, block(get())));
    }
    let mut ended = 0;
    while ended < 100 {
        let (frame, _) = client.wait("data", |frame| frame.kind == kind::DATA);
        assert!(frame.payload.len() <= 1, "{frame:?}");
        ended += usize::from(frame.has(END_STREAM));
        if !frame.has(END_STREAM) {
            client.send([window_update(frame.stream, 1), window_update(0, 1)].concat());
        }
    }
    proxy.expect_stat("http.in.downstream_rq_active", 0);
}

#[test]
fn a_body_beyond_the_window() {
    // The upstream takes nothing: no window is given back, and this client does not care.
    let upstream = upstream_of(|stream| {
        eventually("the proxy closes", || stream.peek(&mut [0; 1]).is_ok_and(|count| count == 0));
    });
    let config = CONFIG.replace(
        "max_concurrent_streams: 100",
        "max_concurrent_streams: 100, initial_stream_window_size: 65535, initial_connection_window_size: 65535",
    );
    let proxy = Proxy::before(upstream, &config);
    let mut client = Connection::open_to(proxy.address(), &[]);
    client.send(headers(1, END_HEADERS, block(request("POST", "/never"))));
    let outcome = flood(&mut client, &data(1, 0, [b'x'; 16_384]), 256 * 1024 * 1024);
    assert_eq!(outcome, Outcome::Closed);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}

#[test]
fn a_client_that_goes_with_everything_open() {
    let proxy = Proxy::new(CONFIG);
    let mut client = Connection::open_to(proxy.address(), &[]);
    let requests: Vec<_> =
        (0..100).flat_map(|at| headers(2 * at + 1, WHOLE, block(request("GET", "/never")))).collect();
    client.send(requests);
    proxy.expect_stat("cluster.up.upstream_rq_active", 100);
    client.stream.shutdown(Shutdown::Both).unwrap();
    proxy.expect_idle();
    assert_eq!(proxy.stat("http.in.downstream_cx_destroy_remote_active_rq"), 1);
    proxy.expect_serving();
}
