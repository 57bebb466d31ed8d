//! Connections that are passed on as they are.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use sandgate_config::model::{AccessLogOptions, TcpClusters, TcpProxy, TerminalFilter};

use crate::support::{Proxy, bootstrap, cluster, eventually, hcm};

const SIZE: usize = 64 * 1024 * 1024;
/// What the buffers of the system and of the proxy hold together.
const BOUND: usize = 32 * 1024 * 1024;

/// A proxy to that host.
fn to(upstream: SocketAddr) -> Proxy {
    let mut bootstrap = bootstrap(hcm(Vec::new()), vec![cluster("c", upstream)]);
    let config = TcpProxy {
        metadata_match: None,
        stat_prefix: "t".to_owned(),
        clusters: TcpClusters::One("c".into()),
        idle_timeout: Some(Duration::from_secs(60)),
        max_connection_duration: None,
        max_connect_attempts: 1,
        back_off: None,
        access_logs: Vec::new(),
        access_log_options: AccessLogOptions::default(),
        hash_policies: Vec::new(),
    };
    bootstrap.listeners[0].filter_chains[0].terminal =
        TerminalFilter::TcpProxy { name: "tcp".to_owned(), config: Box::new(config) };
    Proxy::start(bootstrap, |_| {})
}

/// A host that does this with each connection.
fn host(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), Arc::clone(&serve));
            thread::spawn(move || serve(stream));
        }
    });
    address
}

#[test]
fn a_slow_client_slows_the_host() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let proxy = to(host(move |mut stream| {
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..SIZE / piece.len() {
            if stream.write_all(&piece).is_err() {
                return;
            }
            count.fetch_add(piece.len(), SeqCst);
        }
    }));
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    let paused = "cluster.c.upstream_flow_control_paused_reading_total";
    eventually("the host is not read from", || proxy.stat(paused) > 0);
    assert!(written.load(SeqCst) < BOUND, "{} bytes were taken for a client that reads none", written.load(SeqCst));
    let mut received = Vec::new();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), SIZE);
    assert!(received.iter().all(|byte| *byte == b'x'));
    assert_eq!(
        proxy.stat(paused),
        proxy.stat("cluster.c.upstream_flow_control_resumed_reading_total"),
        "reading went on as often as it was paused"
    );
    proxy.expect_stat("cluster.c.upstream_cx_active", 0);
    proxy.expect_stat("tcp.t.downstream_cx_tx_bytes_buffered", 0);
}

#[test]
fn bytes_of_many_connections_stay_apart() {
    let proxy = to(host(|stream| {
        let mut reader = stream.try_clone().unwrap();
        let mut writer = stream;
        let _ = std::io::copy(&mut reader, &mut writer);
        let _ = writer.shutdown(Shutdown::Write);
    }));
    let address = proxy.address();
    let clients = (0..32_u8).map(|number| {
        thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let sent: Vec<_> = (0..200_000_usize).map(|at| number.wrapping_add(at.to_le_bytes()[0])).collect();
            let mut writer = stream.try_clone().unwrap();
            let copy = sent.clone();
            let writing = thread::spawn(move || {
                copy.chunks(usize::from(number) * 100 + 7).for_each(|piece| writer.write_all(piece).unwrap());
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            writing.join().unwrap();
            assert!(received == sent, "connection {number}");
        })
    });
    clients.collect::<Vec<_>>().into_iter().for_each(|client| client.join().unwrap());
    proxy.expect_stat("listener.l.downstream_cx_active", 0);
    proxy.expect_stat("cluster.c.upstream_cx_active", 0);
    assert_eq!(proxy.stat("cluster.c.upstream_cx_total"), 32);
}
