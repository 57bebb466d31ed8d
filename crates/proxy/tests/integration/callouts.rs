//! Requests of plugins, in numbers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use sandgate_abi::{Callback, CallbackKind, StreamType, pairs};
use sandgate_config::model::{CodeSource, HttpFilterKind, UpstreamHttpProtocol};
use sandgate_host::{Host, HostCalls, NativeEngine, OutgoingHttp};

use crate::support::{Lines, Proxy, bootstrap, cluster, direct, hcm};
use crate::wasm::plugin;

const CONNECTIONS: usize = 100;
const STREAMS: usize = 100;

/// A guest whose streams wait for an answer each.
fn guest() -> impl FnMut(&dyn HostCalls, Callback) -> Option<u32> {
    let mut waiting = HashMap::new();
    move |host, callback| match callback {
        Callback::RequestHeaders { context, .. } => {
            let request: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")];
            let mut headers = Vec::new();
            pairs::encode(request.into_iter(), &mut headers);
            let call = OutgoingHttp { upstream: b"auth", headers: &headers, body: b"", trailers: b"", timeout_ms: 0 };
            waiting.insert(host.http_call(call).ok()?, context);
            Some(1)
        }
        Callback::HttpCallResponse { token, .. } => {
            host.set_effective_context(waiting.remove(&token)?).ok()?;
            host.continue_stream(StreamType::Request).ok()?;
            None
        }
        _ => None,
    }
}

/// An upstream that answers nothing, and its end.
struct Silent {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    kill: tokio::sync::watch::Sender<()>,
}

impl Silent {
    fn new() -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        let (kill, killed) = tokio::sync::watch::channel(());
        let requests = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let mut end = killed.clone();
                loop {
                    tokio::select! {
                        Ok((stream, _)) = listener.accept() => {
                            let (count, mut end) = (Arc::clone(&count), killed.clone());
                            tokio::spawn(async move {
                                tokio::select! {
                                    () = hold(stream, &count) => {}
                                    _ = end.changed() => {}
                                }
                            });
                        }
                        _ = end.changed() => return,
                    }
                }
            });
        });
        Self { address: told.recv().unwrap(), requests, kill }
    }
}

async fn hold(stream: tokio::net::TcpStream, count: &AtomicUsize) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut held = Vec::new();
    while let Some(Ok(exchange)) = connection.accept().await {
        held.push(exchange);
        count.fetch_add(1, SeqCst);
    }
}

/// The statuses of all streams of one client.
async fn client(address: SocketAddr) -> Vec<u16> {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(socket).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let mut responses = Vec::new();
    for _ in 0..STREAMS {
        client = client.ready().await.unwrap();
        let request = http::Request::get("http://a/").body(()).unwrap();
        responses.push(client.send_request(request, true).unwrap().0);
    }
    let mut statuses = Vec::new();
    for response in responses {
        statuses.push(response.await.map_or(0, |response| response.status().as_u16()));
    }
    drop(client);
    connection.abort();
    statuses
}

#[test]
fn ten_thousand_waiting_streams_end_when_the_upstream_dies() {
    let upstream = Silent::new();
    let mut hcm = hcm(vec![direct("/", 200, "on")]);
    let mut filter = plugin("none", "");
    if let HttpFilterKind::Wasm(wasm) = &mut filter.kind {
        wasm.vm.runtime = NativeEngine::NAME.into();
        wasm.vm.code = CodeSource::Inline(Bytes::from_static(b"guest"));
    }
    hcm.http_filters.insert(0, filter);
    let mut auth = cluster("auth", upstream.address);
    auth.http.protocol = UpstreamHttpProtocol::Http2;
    let breakers = &mut auth.circuit_breakers.default;
    (breakers.max_requests, breakers.max_pending_requests) = (100_000, 100_000);
    let callbacks = [CallbackKind::RequestHeaders, CallbackKind::HttpCallResponse].into_iter().collect();
    let engine = NativeEngine::new().with_plugin("guest", callbacks, guest);
    let host = Host::builder(Arc::<Lines>::default()).engine(Arc::new(engine)).build();
    let proxy = Proxy::start(bootstrap(hcm, vec![auth]), |options| options.host = host);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let statuses = runtime.block_on(async {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(client(proxy.address()))).collect();
        let all = async {
            while upstream.requests.load(SeqCst) < CONNECTIONS * STREAMS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(proxy.stat("http.in.downstream_rq_active"), 10_000);
            assert_eq!(proxy.stat("cluster.auth.upstream_rq_active"), 10_000);
            upstream.kill.send(()).unwrap();
            let mut statuses = Vec::new();
            for client in clients {
                statuses.extend(client.await.unwrap());
            }
            statuses
        };
        tokio::time::timeout(Duration::from_secs(300), all).await.expect("it takes too long")
    });
    assert_eq!(statuses.len(), CONNECTIONS * STREAMS);
    assert!(statuses.iter().all(|status| *status == 200));
    for gauge in ["cluster.auth.upstream_rq_active", "cluster.auth.upstream_cx_active", "http.in.downstream_rq_active"]
    {
        proxy.expect_stat(gauge, 0);
    }
    assert_eq!(proxy.stat("cluster.auth.upstream_rq_503"), 10_000);
}
