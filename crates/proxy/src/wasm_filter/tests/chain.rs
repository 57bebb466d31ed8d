//! A filter chain of plugins with both its ends.

use std::rc::Rc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use sandgate_filter::{ConnectionInfo, DecodeEvent, EncodeEvent, FilterManager, HttpFilter, Stream, StreamOptions};
use sandgate_host::PluginHandle;
use sandgate_http::{BodyBuffer, Direction, HeaderMap, HeaderMapKind};

use crate::wasm_filter::WasmFilter;

/// One stream; its buffers hold 1024 bytes.
pub(super) struct Chain(FilterManager);

impl Chain {
    pub(super) fn new(handles: &[Rc<PluginHandle>]) -> Self {
        let options = StreamOptions {
            buffer_limit: 1024,
            protocol: Some("HTTP/1.1"),
            start_time: SystemTime::UNIX_EPOCH,
            start: Instant::now(),
        };
        let stream = Stream::new(ConnectionInfo::default().shared(), &options);
        let filters = handles
            .iter()
            .map(|handle| Box::new(WasmFilter::new("wasm".into(), Rc::clone(handle))) as Box<dyn HttpFilter>);
        Self(FilterManager::new(stream, filters))
    }

    pub(super) fn get(&mut self) {
        self.get_path("/");
    }

    pub(super) fn get_path(&mut self, path: &str) {
        self.request_headers("GET", path, true);
    }

    pub(super) fn post(&mut self) {
        self.request_headers("POST", "/", false);
    }

    fn request_headers(&mut self, method: &str, path: &str, end: bool) {
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
        for (name, value) in [(":authority", "h"), (":path", path), (":method", method)] {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        self.0.stream().set_headers(Direction::Request, headers);
        self.0.decode_headers(end);
    }

    pub(super) fn body(&mut self, body: &str, end: bool) {
        self.0.decode_data(buffer(body), end);
    }

    /// As HTTP/1 with a content-length: the end comes by itself.
    pub(super) fn respond(&mut self, body: &str) {
        self.response_headers();
        self.response_body(body, false);
        self.response_body("", true);
    }

    pub(super) fn response_headers(&mut self) {
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
        headers.append(b":status", b"200");
        self.0.encode_headers(headers, false);
    }

    pub(super) fn response_body(&mut self, body: &str, end: bool) {
        self.0.encode_data(buffer(body), end);
    }

    pub(super) fn end(&mut self) {
        self.0.log(Instant::now());
        self.0.destroy();
    }

    pub(super) fn has_pending(&self) -> bool {
        self.0.stream().has_pending()
    }

    /// What came out for the router.
    pub(super) fn up(&mut self) -> Vec<String> {
        self.0.run_pending();
        std::iter::from_fn(|| self.0.next_decode_event())
            .map(|event| match event {
                DecodeEvent::Headers { end_stream } => format!("headers{}", end(end_stream)),
                DecodeEvent::Data { data, end_stream } => format!("data {}{}", text(&data), end(end_stream)),
                DecodeEvent::Trailers => "trailers".to_owned(),
            })
            .collect()
    }

    /// What came out for the codec.
    pub(super) fn down(&mut self) -> Vec<String> {
        self.0.run_pending();
        std::iter::from_fn(|| self.0.next_encode_event())
            .map(|event| match event {
                EncodeEvent::Informational(_) => "1xx".to_owned(),
                EncodeEvent::Headers { end_stream } => format!("headers{}", end(end_stream)),
                EncodeEvent::Data { data, end_stream } => format!("data {}{}", text(&data), end(end_stream)),
                EncodeEvent::Trailers => "trailers".to_owned(),
                EncodeEvent::Reset => "reset".to_owned(),
            })
            .collect()
    }

    pub(super) fn request(&self) -> Vec<String> {
        self.lines(Direction::Request)
    }

    pub(super) fn response(&self) -> Vec<String> {
        self.lines(Direction::Response)
    }

    pub(super) fn details(&self) -> String {
        self.0.stream().info().response_code_details.clone().unwrap_or_default()
    }

    fn lines(&self, direction: Direction) -> Vec<String> {
        let headers = self.0.stream().headers(direction).expect("headers");
        headers.iter().map(|(n, v)| format!("{}: {}", n.escape_ascii(), v.escape_ascii())).collect()
    }
}

fn buffer(body: &str) -> BodyBuffer {
    let mut buffer = BodyBuffer::new();
    buffer.push(Bytes::copy_from_slice(body.as_bytes()));
    buffer
}

fn text(data: &BodyBuffer) -> String {
    let bytes: Vec<u8> = data.segments().flat_map(|segment| segment.iter().copied()).collect();
    format!("'{}'", String::from_utf8(bytes).unwrap())
}

fn end(end_stream: bool) -> &'static str {
    if end_stream { " end" } else { "" }
}
