//! Metadata and filter state.

use bytes::Bytes;
use sandgate_attributes::Declaration;

use super::support::Sample;

/// `{filter_metadata: {f: {a: {b: true}}}}`, serialized.
const METADATA: &[u8] = b"\x0a\x17\x0a\x01f\x12\x12\x0a\x10\x0a\x01a\x12\x0b\x2a\x09\x0a\x07\x0a\x01b\x12\x02\x20\x01";

#[test]
fn metadata_is_text_or_json() {
    let mut sample = Sample::new();
    sample.info.dynamic_metadata = Bytes::from_static(METADATA);
    sample.info.route_metadata = Bytes::from_static(METADATA);
    let text = sample
        .render("%DYNAMIC_METADATA(f:a:b)% %METADATA(ROUTE:f:a)% %DYNAMIC_METADATA(f):4% %METADATA(DYNAMIC:f:x)%");
    assert_eq!(text, "true {\"b\":true} {\"a\" -");
    assert_eq!(sample.render("%CLUSTER_METADATA(f:a)% %DYNAMIC_METADATA(f:a:b:c)%"), "- -");
}

#[test]
fn metadata_that_is_malformed_is_absent() {
    let mut sample = Sample::new();
    sample.info.dynamic_metadata = Bytes::from_static(b"\x0a\xff\xff");
    assert_eq!(sample.render("%DYNAMIC_METADATA(f:a)%"), "-");
}

#[test]
fn filter_state_is_bytes_or_a_message() {
    let mut sample = Sample::new();
    let value = Bytes::from_static(b"\x00\xffA");
    sample.info.filter_state.set_property(b"wasm.x", value, &Declaration::default()).unwrap();
    let text = sample.render("%FILTER_STATE(wasm.x)% %FILTER_STATE(wasm.x:FIELD:f)% %FILTER_STATE(none:PLAIN)%");
    let typed = "{\"@type\":\"type.googleapis.com/google.protobuf.BytesValue\",\"value\":\"AP9B\"}";
    assert_eq!(text, format!("{typed} - -"));
}
