//! Changes of dynamic metadata, which is kept as it is sent: serialized.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Any, Struct, Value};

/// `envoy.config.core.v3.Metadata`, while it is changed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
    #[prost(btree_map = "string, message", tag = "2")]
    typed_filter_metadata: BTreeMap<String, Any>,
}

/// Changes `metadata`, a serialized `envoy.config.core.v3.Metadata`: it is read and written once, whatever is done.
pub fn change(metadata: &mut Bytes, change: impl FnOnce(&mut Metadata)) {
    let mut read = read(metadata);
    change(&mut read);
    *metadata = read.encode_to_vec().into();
}

/// Puts `value` into a namespace of `metadata`, see [`Metadata::merge`].
pub fn merge(metadata: &mut Bytes, namespace: &str, value: Struct) {
    change(metadata, |metadata| metadata.merge(namespace, value));
}

/// It was serialized here, so that it can be read.
fn read(metadata: &Bytes) -> Metadata {
    Metadata::decode(&metadata[..]).unwrap_or_default()
}

// === impl Metadata ===

impl Metadata {
    /// Whether there are values in the namespace.
    #[must_use]
    pub fn has(&self, namespace: &str) -> bool {
        self.filter_metadata.contains_key(namespace)
    }

    /// Whether there is a message in the namespace.
    #[must_use]
    pub fn has_typed(&self, namespace: &str) -> bool {
        self.typed_filter_metadata.contains_key(namespace)
    }

    /// Puts `value` into a namespace. What is there stays, unless `value` has it, too: structs are merged, lists joined, and
    /// anything else is replaced (Envoy's `StructUtil::update`).
    pub fn merge(&mut self, namespace: &str, value: Struct) {
        match self.filter_metadata.get_mut(namespace) {
            Some(there) => merge_struct(there, value),
            None => {
                self.filter_metadata.insert(namespace.to_owned(), value);
            }
        }
    }

    /// Puts a message into a namespace, in the place of one that may be there.
    pub fn set_typed(&mut self, namespace: &str, value: Any) {
        self.typed_filter_metadata.insert(namespace.to_owned(), value);
    }
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
        let read = read(&metadata);
        assert!(read.has("n") && !read.has_typed("n") && !read.has("m"));
    }

    #[test]
    fn messages_are_replaced() {
        let mut metadata = Bytes::new();
        let any = |value: &[u8]| Any { type_url: "t".to_owned(), value: value.to_vec() };
        change(&mut metadata, |metadata| metadata.set_typed("n", any(b"1")));
        change(&mut metadata, |metadata| metadata.set_typed("n", any(b"2")));
        assert_eq!(read(&metadata).typed_filter_metadata.get("n"), Some(&any(b"2")));
    }
}
