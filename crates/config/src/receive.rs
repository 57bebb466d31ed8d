//! Bytes to messages: what a control plane sends, with the messages in its `Any`s.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MapKey, MessageDescriptor, ReflectMessage as _, Value};
use prost_types::{Struct, value::Kind};

use crate::{
    check::map_key,
    diagnostics::Severity,
    node::{Entry, Mark, Node, Value as NodeValue},
    read::{AnyUse, Reader, TYPED_STRUCTS, Unpacked},
    report::{Report, field_path, item_path, key_path},
    schema::{Schema, wire},
};

/// Messages in messages, those in `Any`s too.
const MAX_DEPTH: usize = 100;

/// Reads messages from the wire format.
pub(crate) struct Receiver<'a> {
    schema: &'static Schema,
    report: &'a mut Report,
    unpacked: &'a mut Unpacked,
    depth: usize,
}

// === impl Receiver ===

impl<'a> Receiver<'a> {
    pub(crate) fn new(schema: &'static Schema, report: &'a mut Report, unpacked: &'a mut Unpacked) -> Self {
        Self { schema, report, unpacked, depth: 0 }
    }

    /// Unpacks what is in a message. Every `TypedStruct` becomes what it stands for. What the schema does not know is said, and left out: that
    /// is how Envoy takes it, too.
    pub(crate) fn root(&mut self, message: &mut DynamicMessage) {
        self.message(message, "");
    }

    fn decode(&mut self, descriptor: MessageDescriptor, bytes: &[u8], path: &str) -> Option<DynamicMessage> {
        let name = descriptor.full_name().to_owned();
        let decoded = DynamicMessage::decode(descriptor, bytes);
        decoded.map_err(|error| self.report.error(path, format!("Unable to unpack as {name}: {error}"))).ok()
    }

    fn message(&mut self, message: &mut DynamicMessage, path: &str) {
        let descriptor = message.descriptor();
        if self.depth >= MAX_DEPTH {
            self.report.error(path, format!("nested deeper than {MAX_DEPTH} levels"));
            return;
        }
        for field in message.unknown_fields() {
            let text = format!("{} has no field of the number {}: ignored", descriptor.full_name(), field.number());
            self.report.add(Severity::Warning, path, text);
        }
        if descriptor.full_name().starts_with("google.protobuf.") {
            return;
        }
        self.depth = self.depth.saturating_add(1);
        for (field, value) in message.fields_mut() {
            let any_use = AnyUse::of(&field);
            self.value(value, any_use, || field_path(path, field.name()));
        }
        self.depth = self.depth.saturating_sub(1);
    }

    /// Paths are made for messages alone: most values are none.
    fn value(&mut self, value: &mut Value, any_use: AnyUse, path: impl FnOnce() -> String) {
        match value {
            Value::Message(message) => self.inside(message, any_use, &path()),
            Value::List(items) if matches!(items.first(), Some(Value::Message(_))) => {
                let path = path();
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Message(message) = item {
                        self.inside(message, any_use, &item_path(&path, index));
                    }
                }
            }
            Value::Map(entries) if matches!(entries.values().next(), Some(Value::Message(_))) => {
                let path = path();
                let mut entries: Vec<(&MapKey, &mut Value)> = entries.iter_mut().collect();
                entries.sort_by(|(one, _), (other, _)| wire::compare_keys(one, other));
                for (key, value) in entries {
                    if let Value::Message(message) = value {
                        self.inside(message, any_use, &key_path(&path, &map_key(key)));
                    }
                }
            }
            _ => {}
        }
    }

    fn inside(&mut self, message: &mut DynamicMessage, any_use: AnyUse, path: &str) {
        match (message.descriptor().full_name(), any_use) {
            ("google.protobuf.Any", AnyUse::Extension) => self.any(message, path),
            ("google.protobuf.Any", AnyUse::PassedOn) => self.passed_on(message),
            _ => self.message(message, path),
        }
    }

    /// Unpacks the message in an `Any`, if the schema has it; if not, it is for those who would use it to say so.
    fn any(&mut self, any: &mut DynamicMessage, path: &str) {
        let Some(type_url) = any.get_field_by_name("type_url").and_then(|url| url.as_str().map(str::to_owned)) else {
            return;
        };
        let Some(descriptor) = self.schema.message(type_url.rsplit('/').next().unwrap_or_default()) else { return };
        let Some(bytes) = any.get_field_by_name("value").and_then(|value| value.as_bytes().cloned()) else { return };
        if TYPED_STRUCTS.contains(&descriptor.full_name()) {
            let Some((type_url, content)) = self.typed_struct(&bytes, path) else { return };
            any.set_field_by_name("type_url", Value::String(type_url));
            any.set_field_by_name("value", Value::Bytes(content.into()));
            return;
        }
        let Some(mut message) = self.decode(descriptor, &bytes, path) else { return };
        self.message(&mut message, path);
        any.set_field_by_name("value", Value::Bytes(wire::encode(&message).into()));
        self.unpacked.insert(path.to_owned(), message);
    }

    /// It is for a guest, which gets it as it came, but for the order of maps: some control planes send them in another one each time, and a
    /// plugin that is configured as before need not start anew.
    fn passed_on(&self, any: &mut DynamicMessage) {
        let type_url = any.get_field_by_name("type_url").and_then(|url| url.as_str().map(str::to_owned));
        let bytes = any.get_field_by_name("value").and_then(|value| value.as_bytes().cloned());
        let (Some(type_url), Some(bytes)) = (type_url, bytes) else { return };
        let descriptor = self.schema.message(type_url.rsplit('/').next().unwrap_or_default());
        let Some(Ok(message)) = descriptor.map(|descriptor| DynamicMessage::decode(descriptor, bytes.as_ref())) else {
            return;
        };
        let ordered = wire::encode(&message);
        // Nothing is left out then.
        if ordered.len() == bytes.len() {
            any.set_field_by_name("value", Value::Bytes(ordered.into()));
        }
    }

    /// The type that a `TypedStruct` stands for, and its content. Both kinds have the same fields.
    fn typed_struct(&mut self, bytes: &[u8], path: &str) -> Option<(String, Vec<u8>)> {
        #[derive(Clone, PartialEq, prost::Message)]
        struct TypedStruct {
            #[prost(string, tag = "1")]
            type_url: String,
            #[prost(message, optional, tag = "2")]
            value: Option<Struct>,
        }
        let decoded = TypedStruct::decode(bytes);
        let TypedStruct { type_url, value } = decoded
            .map_err(|error| self.report.error(path, format!("Unable to unpack as TypedStruct: {error}")))
            .ok()?;
        let mut entries = vec![entry("type_url", NodeValue::String(type_url))];
        entries.extend(value.map(|value| entry("value", object(value))));
        Reader::new(self.schema, self.report, self.unpacked).typed_struct_at(&entries, path)
    }
}

fn entry(key: &str, value: NodeValue) -> Entry {
    Entry { key: key.to_owned(), at: Mark::default(), node: Node { value, at: Mark::default() }.into() }
}

fn object(value: Struct) -> NodeValue {
    NodeValue::Map(value.fields.into_iter().map(|(key, value)| entry(&key, node_value(value))).collect())
}

/// Decoding has seen to it that this is not deep.
fn node_value(value: prost_types::Value) -> NodeValue {
    match value.kind {
        None | Some(Kind::NullValue(_)) => NodeValue::Null,
        Some(Kind::BoolValue(value)) => NodeValue::Bool(value),
        #[expect(clippy::cast_possible_truncation, reason = "whole, and far below what 128 bits hold")]
        Some(Kind::NumberValue(number)) if number.fract() == 0.0 && number.abs() < 1e20 => {
            NodeValue::Int(number as i128)
        }
        Some(Kind::NumberValue(number)) => NodeValue::Float(number),
        Some(Kind::StringValue(text)) => NodeValue::String(text),
        Some(Kind::StructValue(value)) => object(value),
        Some(Kind::ListValue(list)) => NodeValue::List(
            list.values
                .into_iter()
                .map(|value| Node { value: node_value(value), at: Mark::default() }.into())
                .collect(),
        ),
    }
}
