//! A stream without a network: what the host asked of it is written down.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, Declaration, MetadataOf, ResponseFlags, StateValue};
use sandgate_host::{HttpStream, StreamMap};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

/// What the host asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Resume(Direction),
    Close(String),
    Reply(LocalReply),
    ClearRouteCache,
}

#[derive(Debug, Default)]
pub(crate) struct MockStream {
    pub(crate) request_headers: RefCell<Option<HeaderMap>>,
    pub(crate) request_trailers: RefCell<Option<HeaderMap>>,
    pub(crate) response_headers: RefCell<Option<HeaderMap>>,
    pub(crate) response_trailers: RefCell<Option<HeaderMap>>,
    pub(crate) request_buffer: RefCell<BodyBuffer>,
    pub(crate) response_buffer: RefCell<BodyBuffer>,
    /// What the chain may buffer.
    pub(crate) buffer_limit: Cell<Option<usize>>,
    pub(crate) trailers_allowed: Cell<bool>,
    pub(crate) asked: RefCell<Vec<Asked>>,
    pub(crate) state: RefCell<HashMap<Vec<u8>, Bytes>>,
    pub(crate) response_code: Cell<Option<u32>>,
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name.as_bytes(), value.as_bytes());
    }
    map
}

pub(crate) fn pairs(map: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    map.iter().map(|(name, value)| (text(name), text(value))).collect()
}

pub(crate) fn body(text: &str) -> BodyBuffer {
    let mut buffer = BodyBuffer::new();
    buffer.push(Bytes::copy_from_slice(text.as_bytes()));
    buffer
}

pub(crate) fn text(body: &BodyBuffer) -> String {
    String::from_utf8(body.segments().flat_map(|s| s.to_vec()).collect()).unwrap()
}

impl MockStream {
    pub(crate) fn get(path: &str) -> Self {
        let stream = Self::default();
        let request = [
            (":authority", "h.com"),
            (":path", path),
            (":method", "GET"),
            (":scheme", "http"),
            ("x-a", "1"),
            ("x-a", "2"),
        ];
        *stream.request_headers.borrow_mut() = Some(headers(&request));
        stream.trailers_allowed.set(true);
        stream
    }

    fn cell(&self, map: StreamMap) -> &RefCell<Option<HeaderMap>> {
        match map {
            StreamMap::RequestHeaders => &self.request_headers,
            StreamMap::RequestTrailers => &self.request_trailers,
            StreamMap::ResponseHeaders => &self.response_headers,
            StreamMap::ResponseTrailers => &self.response_trailers,
        }
    }

    fn buffer(&self, direction: Direction) -> &RefCell<BodyBuffer> {
        match direction {
            Direction::Request => &self.request_buffer,
            Direction::Response => &self.response_buffer,
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    pub(crate) fn replies(&self) -> Vec<LocalReply> {
        self.asked().into_iter().filter_map(|a| if let Asked::Reply(reply) = a { Some(reply) } else { None }).collect()
    }

    fn ask(&self, what: Asked) {
        self.asked.borrow_mut().push(what);
    }
}

impl HttpStream for MockStream {
    fn map(&self, map: StreamMap) -> Option<Ref<'_, HeaderMap>> {
        Ref::filter_map(self.cell(map).borrow(), Option::as_ref).ok()
    }

    fn map_mut(&self, map: StreamMap) -> Option<RefMut<'_, HeaderMap>> {
        RefMut::filter_map(self.cell(map).borrow_mut(), Option::as_mut).ok()
    }

    fn add_trailers(&self, direction: Direction) -> bool {
        let map = match direction {
            Direction::Request => StreamMap::RequestTrailers,
            Direction::Response => StreamMap::ResponseTrailers,
        };
        let free = self.trailers_allowed.get() && self.cell(map).borrow().is_none();
        if free {
            *self.cell(map).borrow_mut() = Some(HeaderMap::new());
        }
        free
    }

    fn buffer_body(&self, direction: Direction, data: &mut BodyBuffer) -> bool {
        let mut buffer = self.buffer(direction).borrow_mut();
        if self.buffer_limit.get().is_some_and(|limit| buffer.len() + data.len() > limit) {
            return false;
        }
        buffer.append(data);
        true
    }

    fn buffered_body(&self, direction: Direction) -> Option<RefMut<'_, BodyBuffer>> {
        Some(self.buffer(direction).borrow_mut())
    }

    fn resume(&self, direction: Direction) {
        self.ask(Asked::Resume(direction));
    }

    fn close(&self, details: &str) {
        self.ask(Asked::Close(details.to_owned()));
    }

    fn send_local_reply(&self, reply: LocalReply) {
        self.ask(Asked::Reply(reply));
    }

    fn clear_route_cache(&self) {
        self.ask(Asked::ClearRouteCache);
    }

    fn set_property(&self, key: &[u8], value: Bytes, _: &Declaration) -> bool {
        if key == b"wasm.locked" {
            return false;
        }
        self.state.borrow_mut().insert(key.to_vec(), value);
        true
    }
}

impl AttributeSource for MockStream {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.map(StreamMap::RequestHeaders)
    }

    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.map(StreamMap::ResponseHeaders)
    }

    fn response_trailers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.map(StreamMap::ResponseTrailers)
    }

    fn protocol(&self) -> Option<&'static str> {
        Some("HTTP/1.1")
    }

    fn start_time(&self) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234))
    }

    fn request_body_bytes(&self) -> u64 {
        5
    }

    fn response_code(&self) -> Option<u32> {
        self.response_code.get()
    }

    fn response_flags(&self) -> ResponseFlags {
        ResponseFlags(4)
    }

    fn downstream_remote_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([10, 0, 0, 1], 4321)))
    }

    fn downstream_local_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 80)))
    }

    fn connection_id(&self) -> Option<u64> {
        Some(7)
    }

    fn route_name(&self) -> Option<String> {
        Some("my_route".to_owned())
    }

    fn listener_direction(&self) -> Option<i64> {
        Some(1)
    }

    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        // filter_metadata { "ns": { "k": "v", "n": 1.5 } }
        let metadata = b"\x0a\x22\x0a\x02ns\x12\x1c\x0a\x0a\x0a\x01k\x12\x05\x1a\x03abc\x0a\x0e\x0a\x01n\x12\x09\x11\0\0\0\0\0\0\xf8\x3f";
        (of == MetadataOf::Route).then(|| Bytes::from_static(metadata))
    }

    fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
        self.state.borrow().get(key).cloned().map(StateValue::Bytes)
    }
}
