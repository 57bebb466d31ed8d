//! A proxy of this process, over real sockets.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_abi::LogLevel;
use sandgate_config::{Format, LoadOptions, load_str};
use sandgate_host::{GuestLog, Host};
use sandgate_proxy::stats::StatsStore;
use sandgate_proxy::{Server, ServerOptions};

/// Longer than anything may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// What an HTTP/2 connection begins with, and settings without values.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const CONFIG: &str = r#"
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
          codec_type: CODEC
          stream_idle_timeout: 2s
          route_config:
            virtual_hosts:
            - name: v
              domains: ["*"]
              routes:
              - match: { prefix: /here }
                direct_response: { status: 200, body: { inline_string: here } }
              - match: { prefix: / }
                route: { cluster: up, timeout: 2s }
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: up
    OPTIONS
    load_assignment:
      cluster_name: up
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: UPSTREAM } } }
"#;

const HTTP2_UPSTREAM: &str = r#"typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
"#;

/// A running proxy and the upstream's socket.
pub struct Proxy {
    server: Server,
    stats: Arc<StatsStore>,
    /// Where the proxy's upstream connections come in.
    pub upstream: TcpListener,
}

struct NoLog;

impl GuestLog for NoLog {
    fn level(&self) -> u32 {
        6
    }

    fn write(&self, _: LogLevel, _: &[u8]) {}
}

impl Proxy {
    /// A proxy whose listener has this codec.
    pub fn new(codec: &str, http2_upstream: bool) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = upstream.local_addr().expect("bound").port();
        let options = if http2_upstream { HTTP2_UPSTREAM } else { "type: STATIC" };
        let config = CONFIG.replace("CODEC", codec).replace("OPTIONS", options).replace("UPSTREAM", &port.to_string());
        let load = LoadOptions { check_files: false, ..LoadOptions::default() };
        let loaded = load_str("fuzz", &config, Format::Yaml, &load).expect("a right configuration");
        let host = Host::builder(Arc::new(NoLog)).default_engines().expect("an engine").build();
        let mut options = ServerOptions::new(host);
        options.concurrency = 1;
        let stats = Arc::clone(&options.stats);
        Self { server: Server::start(loaded.bootstrap, options).expect("the server starts"), stats, upstream }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.server.address("l").expect("the listener")
    }

    /// Panics unless every request and every connection of a client ends.
    pub fn expect_idle(&self) {
        let names = ["http.in.downstream_rq_active", "http.in.downstream_cx_active", "cluster.up.upstream_rq_active"];
        let start = Instant::now();
        while names.iter().any(|name| self.stats.snapshot().get(*name).is_some_and(|sample| sample.value != 0)) {
            assert!(start.elapsed() < PATIENCE, "something is left");
            std::thread::yield_now();
        }
    }
}

/// Sends, says that this is all, and reads until the proxy closes.
pub fn send_all(mut stream: TcpStream, bytes: &[u8]) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // The proxy may have closed already.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut chunk = [0; 16 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                let gone = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                assert!(gone, "the proxy does not close: {error}");
                return;
            }
        }
    }
}
