//! Messages with a spelling of their own: times, wrappers, and values without a schema.

use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Field};

use super::Reader;
use crate::{
    node::{Node, Value},
    report::{field_path, item_path},
};

/// The greatest number of seconds in a `Duration`: ten thousand years.
const MAX_SECONDS: i64 = 315_576_000_000;

// === impl Reader ===

impl Reader<'_> {
    /// Reads a well-known message that has a spelling of its own; `None` if this is not one, or is spelt like any other message.
    pub(super) fn well_known(
        &mut self,
        descriptor: &MessageDescriptor,
        node: &Node,
        path: &str,
    ) -> Option<Option<DynamicMessage>> {
        let result = match descriptor.full_name().strip_prefix("google.protobuf.")? {
            // Envoy's parser lets times and wrappers be spelt as the messages that they are.
            "Duration" | "Timestamp" | "BoolValue" | "StringValue" | "BytesValue" | "DoubleValue" | "FloatValue"
            | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value"
                if matches!(node.value, Value::Map(_)) =>
            {
                return None;
            }
            "Duration" => self.duration(descriptor, node, path),
            "Timestamp" => {
                self.report.break_at(node.at, path, "a time must be written as {seconds: …, nanos: …}");
                None
            }
            "Struct" => self.structure(descriptor, node, path),
            "Value" => self.value(descriptor, node, path),
            "ListValue" => self.list_value(descriptor, node, path),
            "BoolValue" | "StringValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value"
            | "UInt32Value" | "UInt64Value" => self.wrapper(descriptor, node, path),
            _ => return None,
        };
        Some(result)
    }

    fn wrapper(&mut self, descriptor: &MessageDescriptor, node: &Node, path: &str) -> Option<DynamicMessage> {
        let field = descriptor.get_field(1)?;
        let value = self.scalar(&field.kind(), node, path)?;
        let mut message = DynamicMessage::new(descriptor.clone());
        message.set_field(&field, value);
        Some(message)
    }

    fn duration(&mut self, descriptor: &MessageDescriptor, node: &Node, path: &str) -> Option<DynamicMessage> {
        let parsed = match &node.value {
            Value::String(text) => parse_duration(text),
            _ => None,
        };
        let Some((seconds, nanos)) = parsed else {
            let message = "expected a duration such as 5s or 0.25s: seconds with at most nine decimals";
            self.report.break_at(node.at, path, message);
            return None;
        };
        let mut message = DynamicMessage::new(descriptor.clone());
        message.set_field(&descriptor.get_field(1)?, Field::I64(seconds));
        message.set_field(&descriptor.get_field(2)?, Field::I32(nanos));
        Some(message)
    }

    fn structure(&mut self, descriptor: &MessageDescriptor, node: &Node, path: &str) -> Option<DynamicMessage> {
        let fields = descriptor.get_field(1)?;
        let mut message = DynamicMessage::new(descriptor.clone());
        self.free_form = self.free_form.saturating_add(1);
        self.map(&fields, node, &mut message, path);
        self.free_form = self.free_form.saturating_sub(1);
        Some(message)
    }

    fn list_value(&mut self, descriptor: &MessageDescriptor, node: &Node, path: &str) -> Option<DynamicMessage> {
        let values = descriptor.get_field(1)?;
        let Value::List(nodes) = &node.value else {
            self.report.break_at(node.at, path, format!("expected a list, found {}", node.value.describe()));
            return None;
        };
        let kind = values.kind();
        let items = self.nested(node.at, path, |reader| {
            let mut items = Vec::new();
            for (index, node) in nodes.iter().enumerate() {
                let path = item_path(path, index);
                reader.count(node.at, &path)?;
                let value = DynamicMessage::new(kind.as_message()?.clone());
                items.push(Field::Message(reader.message(value, node, super::AnyUse::Extension, &path)?));
            }
            Some(items)
        })??;
        let mut message = DynamicMessage::new(descriptor.clone());
        message.set_field(&values, Field::List(items));
        Some(message)
    }

    fn value(&mut self, descriptor: &MessageDescriptor, node: &Node, path: &str) -> Option<DynamicMessage> {
        let mut message = DynamicMessage::new(descriptor.clone());
        #[expect(clippy::cast_precision_loss, reason = "such a value has no other numbers")]
        let (name, value) = match &node.value {
            Value::Null => ("null_value", Field::EnumNumber(0)),
            Value::Bool(value) => ("bool_value", Field::Bool(*value)),
            Value::Int(value) => ("number_value", Field::F64(*value as f64)),
            Value::Float(value) => ("number_value", Field::F64(*value)),
            Value::String(text) => ("string_value", Field::String(text.clone())),
            Value::List(_) | Value::Map(_) => {
                let name = if matches!(node.value, Value::List(_)) { "list_value" } else { "struct_value" };
                let field = descriptor.get_field_by_name(name)?;
                let inner = DynamicMessage::new(field.kind().as_message()?.clone());
                (name, Field::Message(self.message(inner, node, super::AnyUse::Extension, path)?))
            }
        };
        message.set_field(&descriptor.get_field_by_name(name)?, value);
        Some(message)
    }

    /// Where the value of a well-known message in an `Any` stands.
    pub(super) fn is_special(descriptor: &MessageDescriptor) -> bool {
        matches!(
            descriptor.full_name().strip_prefix("google.protobuf."),
            Some(
                "Any"
                    | "Duration"
                    | "Timestamp"
                    | "Struct"
                    | "Value"
                    | "ListValue"
                    | "BoolValue"
                    | "StringValue"
                    | "BytesValue"
                    | "DoubleValue"
                    | "FloatValue"
                    | "Int32Value"
                    | "Int64Value"
                    | "UInt32Value"
                    | "UInt64Value"
            )
        )
    }

    /// The path of that value.
    pub(super) fn special_path(path: &str) -> String {
        field_path(path, "value")
    }
}

/// Seconds and nanoseconds of the same sign.
fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = whole.parse().ok().filter(|seconds| *seconds <= MAX_SECONDS)?;
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    Some(if negative { (seconds.checked_neg()?, nanos.checked_neg()?) } else { (seconds, nanos) })
}
