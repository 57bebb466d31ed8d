//! A stream to render.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use sandgate_filter::{ConnectionInfo, StreamInfo};
use sandgate_formatter::{Format, FormatContext};
use sandgate_http::{HeaderMap, HeaderMapKind};

/// Everything a context borrows.
pub(crate) struct Sample {
    pub(crate) request: HeaderMap,
    pub(crate) response: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) info: StreamInfo,
    pub(crate) connection: ConnectionInfo,
    pub(crate) now: Instant,
}

impl Sample {
    /// A finished GET that took 25 ms, begun 2024-02-29 13:05:09.012345678 UTC.
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        let start_time = SystemTime::UNIX_EPOCH + Duration::new(1_709_211_909, 12_345_678);
        let mut info = StreamInfo::new(Some("HTTP/1.1"), start_time, start);
        info.response_code = Some(200);
        info.bytes_sent = 12;
        info.response_code_details = Some("via upstream".to_owned());
        info.route_name = Some("r1".into());
        info.cluster_name = Some("c1".into());
        info.upstream.address = Some(address("10.0.0.9:81"));
        let request = headers(
            HeaderMapKind::Request,
            &[(":method", "GET"), (":path", "/p?a=1&b=x%20y&a=2"), (":authority", "example.org"), ("x-a", "abcdef")],
        );
        let response = headers(HeaderMapKind::Response, &[(":status", "200"), ("x-b", "qu\"ote")]);
        let trailers = headers(HeaderMapKind::Response, &[("x-t", "t")]);
        let connection = ConnectionInfo {
            id: 7,
            remote_address: Some(address("192.0.2.77:1234")),
            direct_remote_address: Some(address("127.0.0.1:1234")),
            local_address: Some(address("[2001:db8::1]:443")),
            ..ConnectionInfo::default()
        };
        Self { request, response, trailers, info, connection, now: start + Duration::from_millis(25) }
    }

    pub(crate) fn context(&self) -> FormatContext<'_> {
        FormatContext {
            request_headers: Some(&self.request),
            response_headers: Some(&self.response),
            response_trailers: Some(&self.trailers),
            ..FormatContext::new(&self.info, &self.connection, self.now)
        }
    }

    pub(crate) fn render(&self, format: &str) -> String {
        let mut out = Vec::new();
        Format::parse(format).expect("a good format").render(&self.context(), &mut out);
        String::from_utf8(out).expect("text")
    }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn headers(kind: HeaderMapKind, lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::with_kind(kind);
    for (name, value) in lines {
        map.append(name.as_bytes(), value.as_bytes());
    }
    map
}
