#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::Read as _;
use std::net::TcpListener;

use sandgate_config::model::Origin;

use super::*;
use crate::stats::ListenerStats;

fn sink(kind: StatsSinkKind, prefix: &str) -> StatsSink {
    StatsSink { kind, prefix: prefix.to_owned(), origin: Origin::default() }
}

fn receiver() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn no_host() -> HostLookup {
    Arc::new(|_| None)
}

fn receive(socket: &UdpSocket) -> String {
    let mut buffer = [0; 2048];
    let count = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

fn count_something(store: &StatsStore) {
    let stats = ListenerStats::new(store, "127.0.0.1_80");
    stats.downstream_cx_length_ms().record(1234);
    stats.downstream_cx_total().add(2);
    stats.downstream_cx_active().inc();
    store.send(store.latch());
}

#[test]
fn datagrams_have_one_value_each() {
    let ((plain, to_plain), (dog, to_dog)) = (receiver(), receiver());
    let sinks = [
        sink(StatsSinkKind::StatsdUdp(to_plain), "envoy"),
        sink(StatsSinkKind::DogStatsd { address: to_dog, max_bytes_per_datagram: None }, "dog"),
    ];
    let store = StatsStore::new();
    start(&sinks, &store, &no_host()).unwrap();
    count_something(&store);
    let received: Vec<_> = (0..3).map(|_| receive(&plain)).collect();
    let wanted = ["cx_length_ms:1234|ms", "cx_active:1|g", "cx_total:2|c"];
    assert_eq!(received, wanted.map(|end| format!("envoy.listener.127.0.0.1_80.downstream_{end}")));
    let received: Vec<_> = (0..3).map(|_| receive(&dog)).collect();
    let wanted = wanted.map(|end| format!("dog.listener.downstream_{end}|#envoy.listener_address:127.0.0.1_80"));
    assert_eq!(received, wanted);
}

#[test]
fn datagrams_hold_several_values() {
    let (socket, address) = receiver();
    let kind = StatsSinkKind::DogStatsd { address, max_bytes_per_datagram: Some(1400) };
    let store = StatsStore::new();
    start(&[sink(kind, "e")], &store, &no_host()).unwrap();
    count_something(&store);
    assert_eq!(receive(&socket).lines().count(), 3);
}

#[test]
fn a_connection_has_a_line_for_each_value() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hosts: HostLookup = Arc::new(move |name| (name == "c").then_some((address, Duration::from_secs(30))));
    let store = StatsStore::new();
    start(&[sink(StatsSinkKind::StatsdTcp("c".into()), "t")], &store, &hosts).unwrap();
    count_something(&store);
    let (mut connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut text = String::new();
    while text.lines().count() < 3 || !text.ends_with('\n') {
        let mut buffer = [0; 1024];
        let count = connection.read(&mut buffer).unwrap();
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    let prefix = "t.listener.127.0.0.1_80.downstream_";
    assert_eq!(text, format!("{prefix}cx_length_ms:1234|ms\n{prefix}cx_active:1|g\n{prefix}cx_total:2|c\n"));
}
