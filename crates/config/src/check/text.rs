//! Values as they are written in a configuration.

use prost_reflect::{DynamicMessage, Kind, MapKey, ReflectMessage as _, Value};

/// A scalar, a wrapper or a duration; empty for anything else.
pub(super) fn value(value: &Value, kind: &Kind) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::EnumNumber(number) => kind
            .as_enum()
            .and_then(|kind| Some(kind.get_value(*number)?.name().to_owned()))
            .unwrap_or_else(|| number.to_string()),
        Value::Message(message) => wrapper(message),
        _ => String::new(),
    }
}

fn wrapper(message: &DynamicMessage) -> String {
    let descriptor = message.descriptor();
    match descriptor.full_name() {
        "google.protobuf.Duration" => duration(nanos(message)),
        name if name.starts_with("google.protobuf.") && name.ends_with("Value") => descriptor
            .get_field(1)
            .filter(|field| field.name() == "value")
            .map(|field| value(&message.get_field(&field), &field.kind()))
            .unwrap_or_default(),
        _ => String::new(),
    }
}

/// A duration's nanoseconds.
pub(super) fn nanos(message: &DynamicMessage) -> i128 {
    let number = |name| message.get_field_by_name(name).map_or(0, |value| integer(&value).unwrap_or(0));
    number("seconds").saturating_mul(1_000_000_000).saturating_add(number("nanos"))
}

/// Nanoseconds as a duration, `0.25s`.
pub(super) fn duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let fraction = format!(".{rest:09}");
    format!("{sign}{seconds}{}s", fraction.trim_end_matches('0').trim_end_matches('.'))
}

/// A whole number of any type.
pub(super) fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::I32(value) | Value::EnumNumber(value) => Some((*value).into()),
        Value::I64(value) => Some((*value).into()),
        Value::U32(value) => Some((*value).into()),
        Value::U64(value) => Some((*value).into()),
        _ => None,
    }
}

/// A map's key.
pub(crate) fn map_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
