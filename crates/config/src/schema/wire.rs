//! The wire format with map entries in order of their keys.
//!
//! `prost-reflect` keeps maps in hash tables, whose order differs from one process to the next. What a plugin reads as its configuration,
//! and what keys are made from, must not.

use prost::encoding::{self, WireType};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value};

/// Encodes a message. Unknown fields are dropped: what comes from text has none.
pub(crate) fn encode(message: &DynamicMessage) -> Vec<u8> {
    let mut out = Vec::new();
    put_message(message, &mut out);
    out
}

fn put_message(message: &DynamicMessage, out: &mut Vec<u8>) {
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    for (field, value) in fields {
        match value {
            Value::List(items) if field.is_packed() => {
                let mut body = Vec::new();
                for item in items {
                    put_bare(item, &field.kind(), &mut body);
                }
                if !body.is_empty() {
                    put_bytes(field.number(), &body, out);
                }
            }
            Value::List(items) => items.iter().for_each(|item| put(field.number(), item, &field.kind(), out)),
            Value::Map(entries) => put_map(&field, entries.iter(), out),
            value => put(field.number(), value, &field.kind(), out),
        }
    }
}

fn put_map<'a>(field: &FieldDescriptor, entries: impl Iterator<Item = (&'a MapKey, &'a Value)>, out: &mut Vec<u8>) {
    let kind = field.kind();
    let Some(entry) = kind.as_message() else { return };
    let (key_kind, value_kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|(a, _), (b, _)| compare_keys(a, b));
    for (key, value) in entries {
        let mut body = Vec::new();
        put(1, &Value::from(key.clone()), &key_kind, &mut body);
        put(2, value, &value_kind, &mut body);
        put_bytes(field.number(), &body, out);
    }
}

/// The order of a map's keys.
pub(crate) fn compare_keys(a: &MapKey, b: &MapKey) -> std::cmp::Ordering {
    match (a, b) {
        (MapKey::String(a), MapKey::String(b)) => a.cmp(b),
        (MapKey::Bool(a), MapKey::Bool(b)) => a.cmp(b),
        (MapKey::I32(a), MapKey::I32(b)) => a.cmp(b),
        (MapKey::I64(a), MapKey::I64(b)) => a.cmp(b),
        (MapKey::U32(a), MapKey::U32(b)) => a.cmp(b),
        (MapKey::U64(a), MapKey::U64(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

/// A field: its tag and its value.
fn put(number: u32, value: &Value, kind: &Kind, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => put_bytes(number, text.as_bytes(), out),
        Value::Bytes(bytes) => put_bytes(number, bytes, out),
        Value::Message(message) => put_bytes(number, &encode(message), out),
        value => {
            encoding::encode_key(number, kind.wire_type(), out);
            put_bare(value, kind, out);
        }
    }
}

fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encoding::encode_key(number, WireType::LengthDelimited, out);
    encoding::encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(bytes);
}

/// The value of a scalar field without its tag.
fn put_bare(value: &Value, kind: &Kind, out: &mut Vec<u8>) {
    let varint = match (value, kind) {
        (Value::Bool(value), _) => u64::from(*value),
        (Value::EnumNumber(value), _) => i64::from(*value) as u64,
        (Value::I32(value), Kind::Sfixed32) => return out.extend_from_slice(&value.to_le_bytes()),
        (Value::I32(value), Kind::Sint32) => u64::from(((value << 1) ^ (value >> 31)) as u32),
        (Value::I32(value), _) => i64::from(*value) as u64,
        (Value::I64(value), Kind::Sfixed64) => return out.extend_from_slice(&value.to_le_bytes()),
        (Value::I64(value), Kind::Sint64) => ((value << 1) ^ (value >> 63)) as u64,
        (Value::I64(value), _) => *value as u64,
        (Value::U32(value), Kind::Fixed32) => return out.extend_from_slice(&value.to_le_bytes()),
        (Value::U32(value), _) => u64::from(*value),
        (Value::U64(value), Kind::Fixed64) => return out.extend_from_slice(&value.to_le_bytes()),
        (Value::U64(value), _) => *value,
        (Value::F32(value), _) => return out.extend_from_slice(&value.to_le_bytes()),
        (Value::F64(value), _) => return out.extend_from_slice(&value.to_le_bytes()),
        _ => return,
    };
    encoding::encode_varint(varint, out);
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
