//! The attribute tree over a source that knows little, and over bytes that are no message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use std::cell::{Ref, RefCell};

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, LookupError, MetadataOf, Value, View, lookup, lookup_without_stream};
use sandgate_http::{HeaderMap, HeaderMapKind};

#[derive(Default)]
struct Source {
    headers: RefCell<HeaderMap>,
    metadata: Option<Bytes>,
    code: Option<u32>,
}

impl AttributeSource for Source {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        Some(self.headers.borrow())
    }
    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        Some(self.headers.borrow())
    }
    fn response_code(&self) -> Option<u32> {
        self.code
    }
    fn request_body_bytes(&self) -> u64 {
        3
    }
    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        if of == MetadataOf::Route { self.metadata.clone() } else { None }
    }
}

impl Source {
    fn with(headers: &[(&str, &str)]) -> Self {
        let source = Self::default();
        for (name, value) in headers {
            source.headers.borrow_mut().append(name.as_bytes(), value.as_bytes());
        }
        source
    }

    fn get(&self, path: &[&str]) -> Result<Value<'static>, LookupError> {
        self.get_raw(path.join("\0").as_bytes())
    }

    fn get_raw(&self, path: &[u8]) -> Result<Value<'static>, LookupError> {
        let view = View::all(self);
        let mut found = None;
        lookup(&view, path, &mut |value| {
            found = Some(value.into_owned());
            Ok(())
        })?;
        Ok(found.unwrap())
    }
}

#[test]
fn what_the_source_does_not_know_is_not_there() {
    let source = Source::default();
    for root in ["request", "response", "connection", "source", "destination", "upstream", "xds", "filter_state"] {
        assert_eq!(source.get(&[root]), Err(LookupError::NoByteForm), "{root}");
        assert_eq!(source.get(&[root, "nope"]), Err(LookupError::NotFound), "{root}");
    }
    for path in [&["source", "address"][..], &["upstream", "port"], &["xds", "cluster_name"], &["request", "path"]] {
        assert_eq!(source.get(path), Err(LookupError::NotFound), "{path:?}");
    }
    assert_eq!(source.get(&["metadata"]), Ok(Value::Message(b""[..].into())));
    assert_eq!(source.get(&["upstream", "request_attempt_count"]), Ok(Value::UInt(0)));
    assert_eq!(source.get_raw(b""), Err(LookupError::NoByteForm));
    assert_eq!(source.get_raw(b"\0"), Err(LookupError::NotFound));
}

#[test]
fn queries_are_split_off() {
    for (path, url_path, query) in
        [("/a?b=c#d", "/a", "b=c"), ("/a#d", "/a#d", ""), ("/a?", "/a", ""), ("/a?b?c", "/a", "b?c"), ("", "", "")]
    {
        let source = Source::with(&[(":path", path)]);
        assert_eq!(source.get(&["request", "url_path"]), Ok(Value::str(url_path)), "{path}");
        assert_eq!(source.get(&["request", "query"]), Ok(Value::str(query)), "{path}");
    }
}

#[test]
fn sizes() {
    let source = Source::with(&[("a", "12"), ("content-length", "77")]);
    assert_eq!(source.get(&["request", "size"]), Ok(Value::Int(77)));
    assert_eq!(source.get(&["request", "total_size"]), Ok(Value::Int(3 + 3 + 16)));
    assert_eq!(Source::with(&[]).get(&["request", "size"]), Ok(Value::Int(3)));
    assert_eq!(Source::with(&[("content-length", "x")]).get(&["request", "size"]), Err(LookupError::NotFound));
}

#[test]
fn grpc_status_is_given_or_derived() {
    let derived = |code| Source { code: Some(code), ..Source::default() }.get(&["response", "grpc_status"]);
    assert_eq!(derived(200), Ok(Value::Int(2)));
    assert_eq!(derived(403), Ok(Value::Int(7)));
    assert_eq!(derived(503), Ok(Value::Int(14)));
    assert_eq!(Source::default().get(&["response", "grpc_status"]), Err(LookupError::NotFound));
    let mut given = Source::with(&[("grpc-status", "5")]);
    given.code = Some(200);
    assert_eq!(given.get(&["response", "grpc_status"]), Ok(Value::Int(5)));
}

#[test]
fn whole_maps_join_duplicates() {
    let source = Source::with(&[("a", "1"), ("b", "2"), ("a", "3")]);
    let Ok(Value::Map(entries)) = source.get(&["request", "headers"]) else { panic!("not a map") };
    assert_eq!(entries, [(Value::str("a"), Value::str("1,3")), (Value::str("b"), Value::str("2"))]);
}

#[test]
fn host_is_authority_in_request_headers_only() {
    let source = Source::with(&[("host", "plain")]);
    assert_eq!(source.get(&["request", "headers", "host"]), Ok(Value::str("plain")));
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
    headers.append(b":authority", b"h.com");
    source.headers.replace(headers);
    for name in ["host", "Host", ":authority"] {
        assert_eq!(source.get(&["request", "headers", name]), Ok(Value::str("h.com")), "{name}");
    }
}

#[test]
fn host_is_the_authority() {
    let source = Source { headers: RefCell::new(HeaderMap::with_kind(HeaderMapKind::Request)), ..Source::default() };
    source.headers.borrow_mut().append(b":authority", b"h.com");
    assert_eq!(source.get(&["request", "headers", "Host"]), Ok(Value::str("h.com")));
    assert_eq!(source.get(&["request", "host"]), Ok(Value::str("h.com")));
}

#[test]
fn bytes_that_are_no_message_find_nothing_and_break_nothing() {
    // A varint without end, a length beyond the end, a group, truncated fixed values.
    let broken: [&[u8]; 6] = [
        &[0xff; 20],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x0b],
        &[0x09, 1],
        &[0x0d, 1],
        &[0x0a, 0x02, 0x0a, 0x7f],
    ];
    for message in broken {
        let source = Source { metadata: Some(Bytes::copy_from_slice(message)), ..Source::default() };
        let path = ["xds", "route_metadata", "filter_metadata", "ns", "k"];
        assert_eq!(source.get(&path), Err(LookupError::NotFound), "{message:?}");
        let whole = source.get(&path[..3]);
        assert!(matches!(whole, Ok(Value::Map(_))), "{whole:?}");
        for path in [&b"xds\0node\0metadata\0k"[..], b"xds\0node\0extensions\x000", b"xds\0node\0client_features\x009"]
        {
            let found = lookup_without_stream(Some(message), None, path, &mut |_| Ok(()));
            assert_eq!(found, Err(LookupError::NotFound), "{message:?}");
        }
    }
}

#[test]
fn values_nested_too_deep_have_no_bytes() {
    // google.protobuf.Value { list_value { values { list_value { … } } } }
    let mut value = vec![0x20, 1];
    for _ in 0..80 {
        value = field(6, &field(1, &value));
    }
    let structure = field(1, &[field(1, b"k"), field(2, &value)].concat());
    let metadata = field(1, &[field(1, b"ns"), field(2, &structure)].concat());
    let source = Source { metadata: Some(metadata.into()), ..Source::default() };
    let path = ["xds", "route_metadata", "filter_metadata", "ns", "k"];
    assert_eq!(source.get(&path), Err(LookupError::NoByteForm));
    assert!(matches!(source.get(&[&path[..], &["0"; 30]].concat()), Ok(Value::List(_))));
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}
