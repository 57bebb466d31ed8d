//! gRPC, with a client and a server that know nothing of proxies.

mod caller;
mod callouts;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sandgate_config::model::{Cluster, HttpConnectionManager, Route, UpstreamHttpProtocol};
use tonic::codegen::tokio_stream::{self, StreamExt as _};
use tonic::metadata::{BinaryMetadataValue, MetadataValue};
use tonic::{Code, Request};

use crate::support::{PATIENCE, Proxy, cluster, direct, eventually, hcm, prefix};
use crate::wasm::plugin;
use caller::{Caller, is_pending};
use service::{Note, Server};

const MIB: usize = 1 << 20;

fn http2_cluster(server: &Server) -> Cluster {
    let mut cluster = cluster("up", server.address);
    cluster.http.protocol = UpstreamHttpProtocol::Http2;
    cluster
}

fn unlimited(start: &str) -> Route {
    prefix(start, "up", |action| action.timeout = None)
}

fn routes() -> HttpConnectionManager {
    hcm(vec![
        direct("/test.Notes/Forbidden", 403, "not \u{e9}"),
        prefix("/test.Notes/WaitNotLong", "up", |action| action.timeout = Some(Duration::from_millis(200))),
        unlimited("/test.Notes/"),
    ])
}

/// A proxy between the two, with the guest `grpc` or without.
fn between(server: &Server, guest: bool) -> (Proxy, Caller) {
    let mut hcm = routes();
    if guest {
        hcm.http_filters.insert(0, plugin("grpc/grpc.wasm", ""));
    }
    let proxy = Proxy::new(hcm, vec![http2_cluster(server)]);
    let caller = Caller::new(proxy.address());
    (proxy, caller)
}

fn each(test: impl Fn(&Server, &Proxy, &Caller, bool)) {
    for guest in [false, true] {
        let server = Server::start();
        let (proxy, caller) = between(&server, guest);
        test(&server, &proxy, &caller, guest);
        drop(caller);
        proxy.expect_stat("http.in.downstream_rq_active", 0);
        proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    }
}

/// No call that the server began goes on. It need not have begun one that was given up soon.
fn given_up(server: &Server) {
    eventually("given up", || server.seen.abandoned.load(SeqCst) == server.seen.waiting.load(SeqCst));
}

/// What comes of a text and a number by way of the guest, there and back.
fn rewritten(text: &str, number: u64, guest: bool) -> (String, u64) {
    if guest { (text.to_uppercase(), number) } else { (text.to_owned(), 0) }
}

#[test]
fn one_for_one_with_metadata() {
    each(|_, _, caller, guest| {
        let mut request = Request::new(Note::new("hello"));
        request.metadata_mut().insert("x-m-text", MetadataValue::from_static("a b"));
        request.metadata_mut().insert_bin("x-m-data-bin", BinaryMetadataValue::from_bytes(b"\0\xff\r\n"));
        let response = caller.run(caller.unary("Echo", request)).unwrap();
        let metadata = response.metadata();
        assert_eq!(metadata.get("x-m-text").unwrap(), "a b");
        assert_eq!(&*metadata.get_bin("x-m-data-bin").unwrap().to_bytes().unwrap(), b"\0\xff\r\n");
        assert_eq!(metadata.get("x-requests").is_some(), guest);
        let note = response.into_inner();
        assert_eq!((note.text, note.number), rewritten("hello", 1, guest));
    });
}

#[test]
fn streams_of_each_kind() {
    each(|_, _, caller, guest| {
        let notes = |count: u64| (0..count).map(|_| Note::new("n")).collect::<Vec<_>>();
        let counted = caller.all("Count", notes(17)).unwrap();
        assert_eq!(counted.iter().map(|note| note.count).collect::<Vec<_>>(), [17]);
        let expanded = caller.all("Expand", vec![Note { count: 17, ..Note::new("x") }]).unwrap();
        assert_eq!(expanded.iter().map(|note| note.count).collect::<Vec<_>>(), (1..=17).collect::<Vec<_>>());
        let echoed = caller.all("Echo", notes(17)).unwrap();
        let got = echoed.into_iter().map(|note| (note.text, note.number));
        assert!(got.eq((1..=17).map(|number| rewritten("n", number, guest))));
        assert_eq!(caller.all("Echo", Vec::new()).unwrap(), []);
    });
}

/// Neither side waits for the other's end.
#[test]
fn turns_on_one_stream() {
    each(|_, _, caller, guest| {
        let (send, receive) = tokio::sync::mpsc::channel(1);
        caller.run(async {
            let notes = tokio_stream::wrappers::ReceiverStream::new(receive);
            send.send(Note::new("first")).await.unwrap();
            let mut answer = caller.stream("Echo", notes).await.unwrap().into_inner();
            for number in 1..50 {
                let note = answer.message().await.unwrap().unwrap();
                let text = if number == 1 { "first" } else { "next" };
                assert_eq!((note.text, note.number), rewritten(text, number, guest));
                send.send(Note::new("next")).await.unwrap();
            }
            drop(send);
            assert!(answer.message().await.unwrap().is_some());
            assert!(answer.message().await.unwrap().is_none());
        });
    });
}

#[test]
fn errors_of_the_server() {
    each(|_, _, caller, guest| {
        let mut request = Request::new(Note::default());
        request.metadata_mut().insert("x-m-text", MetadataValue::from_static("kept"));
        let status = caller.run(caller.unary("Fail", request)).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "100% \u{e9}\n~"));
        assert_eq!(status.details(), b"\0details");
        assert_eq!(status.metadata().get("x-m-text").unwrap(), "kept");

        caller.run(async {
            let mut answer = caller.stream("FailLater", tokio_stream::empty()).await.unwrap().into_inner();
            assert_eq!(answer.message().await.unwrap().unwrap().text, rewritten("one", 1, guest).0);
            let status = answer.message().await.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::DataLoss, "gone"));
            assert_eq!(status.metadata().get("x-responses").is_some(), guest);
        });
        let status = caller.run(caller.unary("Nothing", Request::new(Note::default()))).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, "Nothing"));
    });
}

#[test]
fn errors_of_the_proxy() {
    each(|server, proxy, caller, _| {
        let fail = |method| caller.run(caller.unary(method, Request::new(Note::default()))).unwrap_err();
        let status = fail("Forbidden");
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "not \u{e9}"));
        let status = fail("WaitNotLong");
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "upstream request timeout"));
        given_up(server);
        proxy.expect_stat("cluster.up.upstream_rq_timeout", 1);
    });
    let proxy = Proxy::new(hcm(Vec::new()), Vec::new());
    let caller = Caller::new(proxy.address());
    let status = caller.run(caller.unary("Echo", Request::new(Note::default()))).unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

/// The proxy ends a call some time before its deadline, so that neither the client nor the server does.
#[test]
fn deadlines() {
    let server = Server::start();
    let mut hcm = hcm(vec![prefix("/", "up", |action| {
        action.timeout = None;
        action.max_stream_duration = Some(sandgate_config::model::MaxStreamDuration {
            grpc_timeout_header_max: Some(Duration::ZERO),
            grpc_timeout_header_offset: Some(Duration::from_millis(59_200)),
            ..sandgate_config::model::MaxStreamDuration::default()
        });
    })]);
    hcm.http_filters.insert(0, plugin("grpc/grpc.wasm", ""));
    let proxy = Proxy::new(hcm, vec![http2_cluster(&server)]);
    let caller = Caller::new(proxy.address());
    let mut request = Request::new(Note::default());
    request.set_timeout(Duration::from_secs(60));
    let status = caller.run(caller.unary("Wait", request)).unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    given_up(&server);
}

#[test]
fn calls_that_are_cancelled_end_everywhere() {
    each(|server, proxy, caller, _| {
        let mut calls: Vec<_> =
            (0..20).map(|_| Box::pin(caller.unary("Wait", Request::new(Note::default())))).collect();
        let start = Instant::now();
        while server.seen.waiting.load(SeqCst) < 20 {
            assert!(start.elapsed() < PATIENCE);
            caller.run(async {
                for call in &mut calls {
                    assert!(is_pending(call).await);
                }
            });
            caller.breathe();
        }
        proxy.expect_stat("cluster.up.upstream_rq_active", 20);
        drop(calls);
        caller.breathe();
        eventually("given up", || server.seen.abandoned.load(SeqCst) == 20);
        proxy.expect_stat("http.in.downstream_rq_rx_reset", 20);
    });
}

#[test]
fn messages_of_a_mebibyte() {
    each(|server, _, caller, guest| {
        let payload: Vec<u8> = (0..MIB).map(|at| (at * 31 % 251) as u8).collect();
        let notes: Vec<_> = (0..32).map(|count| Note { count, payload: payload.clone(), ..Note::new("big") }).collect();
        let echoed = caller.all("Echo", notes).unwrap();
        assert_eq!(echoed.len(), 32);
        for (count, note) in (0..).zip(echoed) {
            assert!(note.payload == payload);
            assert_eq!((note.count, (note.text, note.number)), (count, rewritten("big", count + 1, guest)));
        }
        assert_eq!(server.seen.notes.load(SeqCst), 32);
    });
}

#[test]
fn ten_thousand_messages() {
    each(|server, _, caller, guest| {
        let notes = (0..10_000).map(|count| {
            let payload = vec![b'x'; usize::try_from(count * 7 % 400).unwrap()];
            Note { count, payload, ..Note::new("one of many") }
        });
        let echoed = caller.all("Echo", notes.collect()).unwrap();
        assert_eq!(echoed.len(), 10_000);
        for (count, note) in (0..).zip(echoed) {
            assert_eq!((note.count, note.payload.len() as u64), (count, count * 7 % 400));
            assert_eq!((note.text, note.number), rewritten("one of many", count + 1, guest));
        }
        assert_eq!(server.seen.notes.load(SeqCst), 10_000);
    });
}

#[test]
fn a_hundred_calls_at_once() {
    each(|_, proxy, caller, guest| {
        let call = |index: u64| async move {
            let text = format!("call {index}");
            let notes = vec![Note { payload: vec![1; 10_000], ..Note::new(&text) }; 5];
            let answer = caller.stream("Echo", tokio_stream::iter(notes)).await.unwrap().into_inner();
            let got: Vec<_> = answer.map(|note| note.unwrap()).map(|note| (note.text, note.number)).collect().await;
            assert_eq!(got, (1..=5).map(|number| rewritten(&text, number, guest)).collect::<Vec<_>>());
        };
        caller.run(async {
            let calls: futures_util::stream::FuturesUnordered<_> = (0..100).map(call).collect();
            assert_eq!(futures_util::StreamExt::count(calls).await, 100);
        });
        // All on one connection.
        proxy.expect_stat("http.in.downstream_cx_total", 1);
    });
}

/// What the windows, sockets and buffers of all three may hold.
const BOUND: usize = 48;

#[test]
fn a_client_that_does_not_read_slows_the_server() {
    each(|server, _, caller, _| {
        let first = Note { count: 200, payload: vec![7; MIB], ..Note::default() };
        let mut answer = caller.run(caller.stream("Expand", tokio_stream::once(first))).unwrap().into_inner();
        let produced = settled(caller, &server.seen.produced);
        assert!(produced < BOUND, "{produced} MiB were made for nobody");
        for count in 1..=200 {
            let note = caller.run(answer.message()).unwrap().unwrap();
            assert_eq!((note.count, note.payload.len()), (count, MIB));
        }
        assert!(caller.run(answer.message()).unwrap().is_none());
    });
}

#[test]
fn a_server_that_does_not_read_slows_the_client() {
    each(|server, _, caller, _| {
        let sent = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&sent);
        let notes = tokio_stream::iter(0..200).map(move |count| {
            counter.fetch_add(1, SeqCst);
            Note { count, payload: vec![7; MIB], ..Note::default() }
        });
        let mut call = Box::pin(caller.stream("Wait", notes));
        assert!(caller.run(is_pending(&mut call)));
        eventually("the call has come", || {
            caller.breathe();
            server.seen.waiting.load(SeqCst) == 1
        });
        let sent = settled(caller, &sent);
        assert!(sent < BOUND, "{sent} MiB were sent to nobody");
        drop(call);
        caller.breathe();
    });
}

/// The value of a counter that has not changed for a while.
fn settled(caller: &Caller, counter: &AtomicUsize) -> usize {
    let (mut last, mut since, start) = (usize::MAX, Instant::now(), Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        assert!(start.elapsed() < PATIENCE);
        caller.breathe();
        let now = counter.load(SeqCst);
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}
