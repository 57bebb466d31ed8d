//! Nobody is read faster than the other side reads.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::support::{Proxy, Upstream, cluster, eventually, hcm, prefix};

/// A server without a limit on the time that a response may take.
fn patient(upstream: &Upstream) -> Proxy {
    Proxy::new(hcm(vec![prefix("/", "up", |action| action.timeout = None)]), vec![cluster("up", upstream.address)])
}

const BODY: usize = 64 * 1024 * 1024;
/// What the sockets of both sides may hold (a few MiB each) and what the proxy may.
const BOUND: usize = 24 * 1024 * 1024;
/// A write that does not get on for so long is blocked.
const BLOCKED: Duration = Duration::from_millis(300);

/// Writes `left` bytes; returns when all are written or nothing gets on.
fn write_until_blocked(stream: &mut std::net::TcpStream, left: &mut usize) {
    let chunk = vec![b'x'; 64 * 1024];
    stream.set_write_timeout(Some(BLOCKED)).unwrap();
    while *left > 0 {
        match stream.write(&chunk[..chunk.len().min(*left)]) {
            Ok(count) => *left -= count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_slow_client_slows_the_upstream() {
    let written = Arc::new(AtomicUsize::new(0));
    let blocked = Arc::new(AtomicUsize::new(0));
    let (writes, blocks) = (Arc::clone(&written), Arc::clone(&blocked));
    let upstream = Upstream::new(move |exchange| {
        exchange.request();
        exchange.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"));
        let mut left = BODY;
        while left > 0 {
            write_until_blocked(&mut exchange.stream, &mut left);
            writes.store(BODY - left, SeqCst);
            blocks.fetch_add(1, SeqCst);
        }
        false
    });
    let proxy = patient(&upstream);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the upstream is blocked", || blocked.load(SeqCst) > 1);
    assert!(written.load(SeqCst) < BOUND, "{} bytes were taken for a client that reads none", written.load(SeqCst));

    assert!(client.head().contains("content-length: 67108864"));
    let body = client.exactly(BODY);
    assert!(body.iter().all(|byte| *byte == b'x'));
    assert_eq!(client.get("/").header("content-length"), Some("67108864"));
}

#[test]
fn a_slow_upstream_slows_the_client() {
    let go = Arc::new(AtomicUsize::new(0));
    let read = Arc::new(AtomicUsize::new(0));
    let (may, count) = (Arc::clone(&go), Arc::clone(&read));
    let upstream = Upstream::new(move |exchange| {
        exchange.request_head();
        eventually("the upstream may read", || may.load(SeqCst) > 0);
        let mut chunk = vec![0; 256 * 1024];
        // What came with the head was read with it.
        while count.load(SeqCst) + 128 * 1024 < BODY {
            match exchange.stream.read(&mut chunk) {
                Ok(0) | Err(_) => return false,
                Ok(n) => _ = count.fetch_add(n, SeqCst),
            }
        }
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        exchange.wait_closed();
        false
    });
    let proxy = patient(&upstream);
    let mut client = proxy.client();
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY}\r\n\r\n"));
    let mut left = BODY;
    write_until_blocked(&mut client.stream, &mut left);
    assert!(BODY - left < BOUND, "{} bytes were taken for an upstream that reads none", BODY - left);

    go.store(1, SeqCst);
    while left > 0 {
        write_until_blocked(&mut client.stream, &mut left);
    }
    assert_eq!(client.response().text(), "ok");
}

#[test]
fn a_paused_client_that_goes_is_noticed() {
    // Reads nothing of the body: the proxy stops to read the client.
    let done = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&done);
    let upstream = Upstream::new(move |exchange| {
        exchange.request_head();
        eventually("the test is over", || seen.load(SeqCst) > 0);
        false
    });
    let proxy = patient(&upstream);
    let mut client = proxy.client();
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY}\r\n\r\n"));
    let mut left = BODY;
    write_until_blocked(&mut client.stream, &mut left);
    assert!(left > 0);
    assert_eq!(proxy.stat("http.in.downstream_rq_active"), 1);
    // A reset: an orderly close would wait behind the bytes that nobody reads.
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_cx_destroy_remote_active_rq", 1);
    done.store(1, SeqCst);
}

#[test]
fn a_client_that_reads_nothing_is_not_waited_for() {
    let upstream = Upstream::new(move |exchange| {
        exchange.request();
        exchange.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"));
        let body = vec![b'x'; BODY];
        exchange.send(&body);
        false
    });
    let mut hcm = hcm(vec![prefix("/", "up", |action| action.timeout = None)]);
    hcm.stream_idle_timeout = Some(Duration::from_millis(300));
    let proxy = Proxy::new(hcm, vec![cluster("up", upstream.address)]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    proxy.expect_stat("http.in.downstream_rq_idle_timeout", 1);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    proxy.expect_stat("http.in.downstream_cx_active", 0);
}
