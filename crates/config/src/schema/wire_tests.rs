#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, Value};

use super::encode;
use crate::schema::Schema;

/// A message with every field set, some levels deep.
fn full(descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { panic!("a map of no entries") };
            if let (Some(key), Some(value)) =
                (value(&entry.map_entry_key_field().kind(), depth), value(&entry.map_entry_value_field().kind(), depth))
            {
                message.set_field(&field, Value::Map([(key.into_map_key().unwrap(), value)].into()));
            }
        } else if let Some(value) = value(&field.kind(), depth) {
            let value = if field.is_list() { Value::List(vec![value.clone(), value]) } else { value };
            message.set_field(&field, value);
        }
    }
    message
}

fn value(kind: &Kind, depth: u32) -> Option<Value> {
    Some(match kind {
        Kind::Double => Value::F64(-1.5),
        Kind::Float => Value::F32(2.5),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(-3),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(-4_000_000_000),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(300),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(u64::MAX),
        Kind::Bool => Value::Bool(true),
        Kind::String => Value::String("text".to_owned()),
        Kind::Bytes => Value::Bytes(vec![0, 255].into()),
        Kind::Enum(kind) => Value::EnumNumber(kind.values().last()?.number()),
        Kind::Message(descriptor) if depth > 0 => Value::Message(full(descriptor, depth - 1)),
        Kind::Message(_) => return None,
    })
}

#[test]
fn every_message_is_encoded_as_prost_does_it() {
    let schema = Schema::get().unwrap();
    let mut count = 0;
    for descriptor in schema.pool.all_messages().filter(|message| !message.is_map_entry()) {
        let message = full(&descriptor, 1);
        let bytes = encode(&message);
        let again = DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).unwrap();
        assert_eq!(again, message, "{}", descriptor.full_name());
        assert_eq!(bytes, message.encode_to_vec(), "{}", descriptor.full_name());
        count += 1;
    }
    assert!(count > 500, "{count}");
}

#[test]
fn maps_are_in_order() {
    let schema = Schema::get().unwrap();
    let descriptor = schema.message("google.protobuf.Struct").unwrap();
    let null = DynamicMessage::new(schema.message("google.protobuf.Value").unwrap());
    let bytes: Vec<_> = (0..2)
        .map(|_| {
            let keys = (0..100).map(|key| (MapKey::String(format!("{key:03}")), Value::Message(null.clone())));
            let mut message = DynamicMessage::new(descriptor.clone());
            message.set_field_by_name("fields", Value::Map(keys.collect()));
            encode(&message)
        })
        .collect();
    assert_eq!(bytes[0], bytes[1]);
    let position = |key: &str| bytes[0].windows(3).position(|window| window == key.as_bytes()).unwrap();
    assert!(position("000") < position("001") && position("001") < position("099"));
}
