//! A configuration as it was read, for those who look at it.

mod redact;

use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use crate::schema::Schema;

/// A serialized message as JSON with Envoy's field names. Fields that are not set, or that have no presence and their default,
/// are left out. What is sensitive, such as private keys, is `[redacted]`.
///
/// # Errors
/// There is no message of that name, or the bytes are none.
pub fn message_to_json(name: &str, bytes: &[u8]) -> Result<Value, String> {
    let schema = Schema::get()?;
    let descriptor = schema.message(name).ok_or_else(|| format!("there is no message {name}"))?;
    let mut message = DynamicMessage::decode(descriptor, bytes).map_err(|error| error.to_string())?;
    redact::redact(schema, &mut message, false);
    let options = SerializeOptions::new().use_proto_field_name(true);
    let json = message.serialize_with_options(serde_json::value::Serializer, &options);
    json.map(whole).map_err(|error| error.to_string())
}

/// Whole numbers without a point, as protobuf writes them whatever their type.
fn whole(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = whole(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = whole(field.take())),
        Value::Number(number) if number.is_f64() => {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and far below what 64 bits hold")]
            let integer = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15).map(|n| n as i64);
            if let Some(integer) = integer {
                return integer.into();
            }
        }
        _ => {}
    }
    value
}
