//! Retries, hedges and mirrors while things break.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use sandgate_config::model::{BackOff, MirrorCluster, RequestMirrorPolicy, RetryOn, RetryPolicy, RouteAction};

use crate::support::{Client, Proxy, Upstream, cluster, eventually, hcm, prefix};

fn retries(action: &mut RouteAction) {
    let mut policy = RetryPolicy::on(RetryOn::CONNECT_FAILURE | RetryOn::RESET);
    policy.num_retries = 3;
    policy.back_off = BackOff { base_interval: Some(Duration::from_millis(5)), max_interval: None };
    action.retry_policy = Some(policy);
    action.timeout = Some(Duration::from_secs(10));
}

/// An upstream that can be killed with its connections, and started again at its port.
struct Mortal {
    address: SocketAddr,
    dead: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Mortal {
    fn start(address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(128).unwrap();
        let listener: TcpListener = socket.into();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let dead = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&dead);
        let thread = std::thread::spawn(move || {
            let mut streams: Vec<std::net::TcpStream> = Vec::new();
            let mut buffer = [0; 4096];
            while !stop.load(SeqCst) {
                use std::io::{Read, Write};
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).unwrap();
                    streams.push(stream);
                }
                streams.retain_mut(|stream| match stream.read(&mut buffer) {
                    Ok(0) => false,
                    Ok(_) => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_ok(),
                    Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
                });
                std::thread::park_timeout(Duration::from_micros(200));
            }
        });
        Self { address, dead, thread }
    }

    fn kill(self) -> SocketAddr {
        self.dead.store(true, SeqCst);
        self.thread.join().unwrap();
        self.address
    }
}

#[test]
fn an_upstream_killed_and_restarted_under_load_leaves_nothing_hanging() {
    let upstream = Mortal::start(([127, 0, 0, 1], 0).into());
    let proxy = Proxy::new(hcm(vec![prefix("/", "up", retries)]), vec![cluster("up", upstream.address)]);
    let address = proxy.address();
    let (stop, good, bad) =
        (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, good, bad) = (Arc::clone(&stop), Arc::clone(&good), Arc::clone(&bad));
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(SeqCst) {
                    // Whatever happens upstream, every request is answered on the same connection.
                    let response = client.get("/");
                    match response.status() {
                        200 => good.fetch_add(1, SeqCst),
                        503 => bad.fetch_add(1, SeqCst),
                        _ => panic!("{}", response.head),
                    };
                }
            })
        })
        .collect();
    let more = |count: &AtomicUsize| {
        let before = count.load(SeqCst);
        eventually("answers come", || count.load(SeqCst) > before + 20);
    };
    let mut upstream = upstream;
    for _ in 0..3 {
        more(&good);
        let port = upstream.kill();
        more(&bad);
        upstream = Mortal::start(port);
    }
    more(&good);
    stop.store(true, SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    upstream.kill();
    assert!(proxy.stat("cluster.up.upstream_rq_retry") > 0);
    for gauge in ["upstream_rq_active", "upstream_rq_pending_active"] {
        proxy.expect_stat(&format!("cluster.up.{gauge}"), 0);
    }
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_cx_active", 0);
}

#[test]
fn a_client_that_goes_takes_attempts_with_it() {
    let upstream = Upstream::new(|exchange| {
        exchange.request();
        exchange.wait_closed();
        false
    });
    let hedging = |action: &mut RouteAction| {
        retries(action);
        action.hedge_policy.hedge_on_per_try_timeout = true;
        if let Some(policy) = &mut action.retry_policy {
            policy.per_try_timeout = Some(Duration::from_millis(50));
        }
    };
    let proxy = Proxy::new(hcm(vec![prefix("/", "up", hedging)]), vec![cluster("up", upstream.address)]);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a.com\r\ncontent-length: 2\r\n\r\nhi");
    eventually("both attempts are there", || {
        upstream.requests().iter().filter(|request| request.contains("hi")).count() >= 2
    });
    drop(client);
    proxy.expect_stat("http.in.downstream_rq_active", 0);
    proxy.expect_stat("cluster.up.upstream_rq_active", 0);
    eventually("the upstream is told", || upstream.closed() >= 2);
}

#[test]
fn a_mirror_that_hangs_holds_nothing_up() {
    let (upstream, silent) = (
        Upstream::ok(),
        Upstream::new(|exchange| {
            exchange.wait_closed();
            false
        }),
    );
    let mirrored = |action: &mut RouteAction| {
        action.timeout = Some(Duration::from_millis(200));
        action.request_mirror_policies = vec![RequestMirrorPolicy {
            cluster: MirrorCluster::Name("m".into()),
            runtime_fraction: None,
            disable_shadow_host_suffix_append: false,
            host_rewrite_literal: String::new(),
        }];
    };
    let clusters = vec![cluster("up", upstream.address), cluster("m", silent.address)];
    let proxy = Proxy::new(hcm(vec![prefix("/", "up", mirrored)]), clusters);
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").status(), 200);
    }
    proxy.expect_stat("cluster.m.upstream_rq_timeout", 5);
    proxy.expect_stat("cluster.m.upstream_rq_active", 0);
}
