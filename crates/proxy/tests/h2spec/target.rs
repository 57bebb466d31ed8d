//! The server under test, and the upstream behind it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sandgate_abi::LogLevel;
use sandgate_config::{Format, LoadOptions, load_str};
use sandgate_host::{GuestLog, Host};
use sandgate_proxy::stats::{Sample, StatsStore};
use sandgate_proxy::{Server, ServerOptions};

use crate::connection::{Connection, PATIENCE, get};
use crate::frame::{WHOLE, headers};
use crate::hpack::block;

/// What `/` is answered with.
pub(crate) const BODY: &str = "0123456789";

/// The proxy's configuration; a case may replace parts of it.
pub(crate) const CONFIG: &str = r#"
static_resources:
  listeners:
  - name: l
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          codec_type: HTTP2
          delayed_close_timeout: 0.1s
          http2_protocol_options: { max_concurrent_streams: 100 }
          route_config:
            virtual_hosts:
            - name: v
              domains: ["*"]
              routes:
              - match: { prefix: / }
                route: { cluster: up, timeout: 0s }
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: up
    load_assignment:
      cluster_name: up
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM } } }
"#;

/// Options for the cases of the RFC: as in Envoy, a malformed request ends the connection without a word unless an option says that it
/// is an error of its stream.
const STRICT: &str = "max_concurrent_streams: 100, override_stream_error_on_invalid_http_message: true";

/// A proxy of this process.
pub(crate) struct Proxy {
    server: Server,
    stats: Arc<StatsStore>,
}

/// What guests log does not matter here.
struct NoLog;

// === impl Proxy ===

impl Proxy {
    /// A proxy with this configuration before [`upstream`].
    pub(crate) fn new(config: &str) -> Self {
        Self::before(upstream(), config)
    }

    /// A proxy with this configuration, in which `UPSTREAM` is the port of the upstream.
    pub(crate) fn before(upstream: SocketAddr, config: &str) -> Self {
        let config = config.replace("UPSTREAM", &upstream.port().to_string());
        let options = LoadOptions { check_files: false, ..LoadOptions::default() };
        let loaded = load_str("test", &config, Format::Yaml, &options).unwrap();
        let host = Host::builder(Arc::new(NoLog)).default_engines().unwrap().build();
        let mut options = ServerOptions::new(host);
        options.concurrency = 1;
        let stats = Arc::clone(&options.stats);
        Self { server: Server::start(loaded.bootstrap, options).unwrap(), stats }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address("l").unwrap()
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        self.stats.snapshot().get(name).copied().map_or(0, |sample: Sample| sample.value)
    }

    /// Waits until a stat has this value.
    pub(crate) fn expect_stat(&self, name: &str, value: u64) {
        eventually(&format!("{name} is {value}"), || self.stat(name) == value);
    }

    /// Waits until no request and no connection of a client is left, and no request to the upstream.
    pub(crate) fn expect_idle(&self) {
        for name in ["http.in.downstream_rq_active", "http.in.downstream_cx_active", "cluster.up.upstream_rq_active"] {
            self.expect_stat(name, 0);
        }
    }

    /// Fails unless a new client is served.
    pub(crate) fn expect_serving(&self) {
        let mut client = Connection::open_to(self.address(), &[]);
        client.send(headers(1, WHOLE, block(get())));
        client.expect_ok(1);
    }
}

// === impl NoLog ===

impl GuestLog for NoLog {
    fn level(&self) -> u32 {
        6
    }

    fn write(&self, _: LogLevel, _: &[u8]) {}
}

// === free functions ===

/// Where the server under test listens. It runs until the process ends.
pub(crate) fn target() -> SocketAddr {
    static TARGET: OnceLock<(SocketAddr, Option<Proxy>)> = OnceLock::new();
    let start = || match std::env::var("H2SPEC_TARGET") {
        Ok(address) => (address.parse().expect("H2SPEC_TARGET is an address and a port"), None),
        Err(_) => {
            let proxy = Proxy::new(&CONFIG.replace("max_concurrent_streams: 100", STRICT));
            (proxy.address(), Some(proxy))
        }
    };
    TARGET.get_or_init(start).0
}

/// An HTTP/1 server that answers whole requests with [`BODY`], except those to `/never`.
pub(crate) fn upstream() -> SocketAddr {
    static UPSTREAM: OnceLock<SocketAddr> = OnceLock::new();
    *UPSTREAM.get_or_init(|| upstream_of(serve))
}

/// A server that runs `script` for each connection, on a thread of its own.
pub(crate) fn upstream_of(script: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || script(stream));
        }
    });
    address
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn serve(mut stream: TcpStream) {
    let mut buffer = Vec::new();
    let mut chunk = [0; 64 * 1024];
    loop {
        while let Some(length) = whole_request(&buffer) {
            let waits =
                buffer.get(..length).is_some_and(|request| request.windows(7).any(|window| window == b" /never"));
            buffer.drain(..length);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY.len());
            if !waits && stream.write_all(format!("{head}{BODY}").as_bytes()).is_err() {
                return;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// How long the first request is, if it is whole.
fn whole_request(buffer: &[u8]) -> Option<usize> {
    let find = |part: &[u8], end: &[u8]| part.windows(end.len()).position(|window| window == end);
    let head = find(buffer, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    if let Some(length) = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()) {
        return (buffer.len() >= head + length).then_some(head + length);
    }
    if text.contains("transfer-encoding: chunked") {
        return if buffer[head..].starts_with(b"0\r\n\r\n") {
            Some(head + 5)
        } else {
            Some(head + find(&buffer[head..], b"\r\n0\r\n\r\n")? + 7)
        };
    }
    Some(head)
}
