//! An upstream of raw frames behind the proxy, and a client that asks over HTTP/1: what comes of the request does not depend on how
//! clients speak HTTP/2.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use crate::connection::{Connection, PATIENCE};
use crate::frame::{WHOLE, headers};
use crate::hpack::block;
use crate::target::{CONFIG, Proxy, upstream_of};

/// Options of the cluster and its protocol; `OPTIONS` are `Http2ProtocolOptions`.
const HTTP2: &str = r#"  - name: up
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
"#;

/// What `/well` is answered with.
pub(super) const WELL: &str = "HTTP/1.1 200 ";

/// A proxy that clients ask over HTTP/1 and whose upstream speaks HTTP/2: requests are answered by `script`, which returns whether the
/// connection is kept; a script may be told to `behave`, and then the answer is right.
pub(super) fn before(
    route: &str,
    settings: &'static [(u16, u32)],
    script: impl Fn(&mut Connection, u32) -> bool + Send + Sync + 'static,
) -> Proxy {
    let upstream = upstream_of(move |stream| {
        let Some(mut connection) = Connection::accept(stream, settings) else { return };
        while let Some(stream) = connection.next_request() {
            if !script(&mut connection, stream) {
                return;
            }
        }
    });
    let config = CONFIG
        .replace("codec_type: HTTP2", "codec_type: HTTP1")
        .replace("timeout: 0s", route)
        .replace("  - name: up\n", HTTP2);
    Proxy::before(upstream, &config)
}

/// An answer without a body.
pub(super) fn ok(stream: u32) -> Vec<u8> {
    headers(stream, WHOLE, block([(":status", "200")]))
}

/// Asks and reads until the server closes.
pub(super) fn ask(proxy: &Proxy, method: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request =
        format!("{method} / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 64 * 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("nothing came: {error}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// One request, which `script` answers; the client must see `expected`, and nothing may be left.
pub(super) fn seen(expected: &str, script: impl Fn(&mut Connection, u32) -> bool + Send + Sync + 'static) {
    let proxy = before("timeout: 0s", &[], script);
    let answer = ask(&proxy, "GET", "");
    assert!(answer.starts_with(expected), "{answer}");
    proxy.expect_idle();
}
