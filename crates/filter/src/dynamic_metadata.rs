//! Changes of dynamic metadata, which is kept as it is sent: serialized.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Any, Struct, Value};

/// `envoy.config.core.v3.Metadata`.
#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
    #[prost(btree_map = "string, message", tag = "2")]
    typed_filter_metadata: BTreeMap<String, Any>,
}

/// Puts `value` into a namespace of `metadata`, a serialized `envoy.config.core.v3.Metadata`. What is there stays, unless
/// `value` has it, too: structs are merged, lists joined, and anything else is replaced (Envoy's `StructUtil::update`).
pub fn merge(metadata: &mut Bytes, namespace: &str, value: Struct) {
    change(metadata, |metadata| match metadata.filter_metadata.get_mut(namespace) {
        Some(there) => merge_struct(there, value),
        None => {
            metadata.filter_metadata.insert(namespace.to_owned(), value);
        }
    });
}

/// Puts a message into a namespace of `metadata`, in the place of one that may be there.
pub fn set_typed(metadata: &mut Bytes, namespace: &str, value: Any) {
    change(metadata, |metadata| {
        metadata.typed_filter_metadata.insert(namespace.to_owned(), value);
    });
}

/// Whether `metadata` has a namespace of values, or of messages if `typed`.
#[must_use]
pub fn contains(metadata: &Bytes, namespace: &str, typed: bool) -> bool {
    let metadata = read(metadata);
    if typed {
        metadata.typed_filter_metadata.contains_key(namespace)
    } else {
        metadata.filter_metadata.contains_key(namespace)
    }
}

fn change(metadata: &mut Bytes, change: impl FnOnce(&mut Metadata)) {
    let mut read = read(metadata);
    change(&mut read);
    *metadata = read.encode_to_vec().into();
}

/// It was serialized here, so that it can be read.
fn read(metadata: &Bytes) -> Metadata {
    Metadata::decode(&metadata[..]).unwrap_or_default()
}

fn merge_struct(there: &mut Struct, new: Struct) {
    for (key, value) in new.fields {
        match there.fields.get_mut(&key) {
            Some(old) => merge_value(old, value),
            None => {
                there.fields.insert(key, value);
            }
        }
    }
}

fn merge_value(old: &mut Value, new: Value) {
    match (&mut old.kind, new.kind) {
        (Some(Kind::StructValue(old)), Some(Kind::StructValue(new))) => merge_struct(old, new),
        (Some(Kind::ListValue(old)), Some(Kind::ListValue(new))) => old.values.extend(new.values),
        (old, new) => *old = new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value { kind: Some(Kind::StringValue(text.to_owned())) }
    }

    fn structure(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Struct {
        Struct { fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
    }

    fn nested(fields: Struct) -> Value {
        Value { kind: Some(Kind::StructValue(fields)) }
    }

    fn list(values: Vec<Value>) -> Value {
        Value { kind: Some(Kind::ListValue(prost_types::ListValue { values })) }
    }

    #[test]
    fn structs_merge_lists_join_and_the_rest_is_replaced() {
        let mut metadata = Bytes::new();
        let old = [("a", text("1")), ("s", nested(structure([("x", text("1"))]))), ("l", list(vec![text("1")]))];
        merge(&mut metadata, "n", structure(old));
        let new = [("a", list(vec![])), ("s", nested(structure([("y", text("2"))]))), ("l", list(vec![text("2")]))];
        merge(&mut metadata, "n", structure(new));
        let expected = structure([
            ("a", list(vec![])),
            ("s", nested(structure([("x", text("1")), ("y", text("2"))]))),
            ("l", list(vec![text("1"), text("2")])),
        ]);
        assert_eq!(read(&metadata).filter_metadata.get("n"), Some(&expected));
        assert!(contains(&metadata, "n", false) && !contains(&metadata, "n", true) && !contains(&metadata, "m", false));
    }

    #[test]
    fn messages_are_replaced() {
        let mut metadata = Bytes::new();
        let any = |value: &[u8]| Any { type_url: "t".to_owned(), value: value.to_vec() };
        set_typed(&mut metadata, "n", any(b"1"));
        set_typed(&mut metadata, "n", any(b"2"));
        assert_eq!(read(&metadata).typed_filter_metadata.get("n"), Some(&any(b"2")));
    }
}
