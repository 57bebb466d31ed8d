//! Protobuf messages as values: reading and setting fields, and the well-known types that are values by themselves.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value as Field};

use crate::time::SECOND;
use crate::value::Map;
use crate::{Environment, EvaluateError, Value};

/// How deep messages may lie in one another to be values.
const MAX_DEPTH: u32 = 64;

const TYPE_URL: &str = "type.googleapis.com/";

/// A serialized message as a value.
pub(crate) fn decode(descriptor: &MessageDescriptor, bytes: &[u8]) -> Option<Value> {
    unwrapped(DynamicMessage::decode(descriptor.clone(), bytes).ok()?)
}

/// The message as a value: well-known types are what they stand for.
pub(crate) fn unwrapped(message: DynamicMessage) -> Option<Value> {
    value_of(message, 0)
}

fn value_of(message: DynamicMessage, depth: u32) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    let name = message.descriptor().full_name().to_owned();
    let number = |number: u32| message.get_field_by_number(number);
    Some(match name.strip_prefix("google.protobuf.").unwrap_or_default() {
        "BoolValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value" | "FloatValue" | "DoubleValue"
        | "StringValue" | "BytesValue" => field_value(number(1)?.as_ref(), depth)?,
        "Duration" => Value::Duration(nanoseconds(&message)?),
        "Timestamp" => Value::Timestamp(nanoseconds(&message)?),
        "Struct" | "ListValue" => field_value(number(1)?.as_ref(), depth)?,
        "Value" => match message.fields().next() {
            Some((field, value)) if field.number() > 1 => field_value(value, depth)?,
            _ => Value::Null,
        },
        "Any" => {
            let (type_url, bytes) = (number(1)?, number(2)?);
            let type_name = type_url.as_str()?.rsplit_once('/')?.1.to_owned();
            let descriptor = message.descriptor().parent_pool().get_message_by_name(&type_name)?;
            let inner = DynamicMessage::decode(descriptor, bytes.as_bytes()?.as_ref()).ok()?;
            value_of(inner, depth + 1)?
        }
        _ => Value::Message(Arc::new(message)),
    })
}

fn nanoseconds(message: &DynamicMessage) -> Option<i128> {
    let seconds = message.get_field_by_number(1)?.as_i64()?;
    let nanos = message.get_field_by_number(2)?.as_i32()?;
    Some(i128::from(seconds) * SECOND + i128::from(nanos))
}

fn field_value(field: &Field, depth: u32) -> Option<Value> {
    Some(match field {
        Field::Bool(value) => Value::Bool(*value),
        Field::I32(value) | Field::EnumNumber(value) => Value::Int(i64::from(*value)),
        Field::I64(value) => Value::Int(*value),
        Field::U32(value) => Value::UInt(u64::from(*value)),
        Field::U64(value) => Value::UInt(*value),
        Field::F32(value) => Value::Double(f64::from(*value)),
        Field::F64(value) => Value::Double(*value),
        Field::String(value) => Value::string(value.as_str()),
        Field::Bytes(value) => Value::Bytes(value.clone()),
        Field::Message(message) => value_of(message.clone(), depth + 1)?,
        Field::List(list) => {
            Value::list(list.iter().map(|value| field_value(value, depth + 1)).collect::<Option<_>>()?)
        }
        Field::Map(map) => {
            let entries = map.iter().map(|(key, value)| Some((key_value(key), field_value(value, depth + 1)?)));
            Value::Map(Arc::new(Map::new(entries.collect::<Option<_>>()?)?))
        }
    })
}

fn key_value(key: &MapKey) -> Value {
    match key {
        MapKey::Bool(value) => Value::Bool(*value),
        MapKey::I32(value) => Value::Int(i64::from(*value)),
        MapKey::I64(value) => Value::Int(*value),
        MapKey::U32(value) => Value::UInt(u64::from(*value)),
        MapKey::U64(value) => Value::UInt(*value),
        MapKey::String(value) => Value::string(value.as_str()),
    }
}

fn descriptor_of(message: &DynamicMessage, field: &[u8]) -> Result<FieldDescriptor, EvaluateError> {
    let name = std::str::from_utf8(field).map_err(|_| EvaluateError::NoSuchField)?;
    message.descriptor().get_field_by_name(name).ok_or(EvaluateError::NoSuchField)
}

/// A field; one that is not set has its default, a message too.
pub(crate) fn field(message: &DynamicMessage, name: &[u8]) -> Result<Value, EvaluateError> {
    let field = descriptor_of(message, name)?;
    field_value(&message.get_field(&field), 0).ok_or(EvaluateError::InvalidArgument)
}

/// Whether a field is set: one without presence, whether it is not its default.
pub(crate) fn has(message: &DynamicMessage, name: &Bytes) -> Result<bool, EvaluateError> {
    Ok(message.has_field(&descriptor_of(message, name)?))
}

/// Sets a field.
pub(crate) fn set(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    value: &Value,
    environment: &Environment,
) -> Result<(), EvaluateError> {
    let mismatch = EvaluateError::InvalidArgument;
    let made = if field.is_map() {
        let Value::Map(map) = value else { return Err(mismatch) };
        let Kind::Message(entry) = field.kind() else { return Err(mismatch) };
        let entries = map.entries().iter().map(|(key, value)| {
            let key = single(&entry.map_entry_key_field().kind(), key, environment)?.into_map_key().ok_or(mismatch)?;
            Ok((key, single(&entry.map_entry_value_field().kind(), value, environment)?))
        });
        Field::Map(entries.collect::<Result<_, EvaluateError>>()?)
    } else if field.is_list() {
        let Value::List(list) = value else { return Err(mismatch) };
        let elements = list.iter().map(|value| single(&field.kind(), value, environment));
        Field::List(elements.collect::<Result<_, EvaluateError>>()?)
    } else {
        // Null leaves a message unset, but for those that can hold it.
        if let (Value::Null, Kind::Message(kind)) = (value, field.kind())
            && !matches!(kind.full_name(), "google.protobuf.Value" | "google.protobuf.Any")
        {
            return Ok(());
        }
        single(&field.kind(), value, environment)?
    };
    message.try_set_field(field, made).map_err(|_| mismatch)
}

fn single(kind: &Kind, value: &Value, environment: &Environment) -> Result<Field, EvaluateError> {
    let mismatch = EvaluateError::InvalidArgument;
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).map_err(|_| mismatch);
    Ok(match (kind, value) {
        (Kind::Bool, Value::Bool(value)) => Field::Bool(*value),
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, Value::Int(value)) => {
            Field::I32(i32::try_from(*value).map_err(|_| mismatch)?)
        }
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, Value::Int(value)) => Field::I64(*value),
        (Kind::Uint32 | Kind::Fixed32, Value::UInt(value)) => Field::U32(u32::try_from(*value).map_err(|_| mismatch)?),
        (Kind::Uint64 | Kind::Fixed64, Value::UInt(value)) => Field::U64(*value),
        (Kind::Enum(_), Value::Int(value)) => Field::EnumNumber(i32::try_from(*value).map_err(|_| mismatch)?),
        #[expect(clippy::cast_possible_truncation, reason = "what the language does")]
        (Kind::Float, Value::Double(value)) => Field::F32(*value as f32),
        (Kind::Double, Value::Double(value)) => Field::F64(*value),
        (Kind::String, Value::String(value)) => Field::String(text(value)?),
        (Kind::Bytes, Value::Bytes(value)) => Field::Bytes(value.clone()),
        (Kind::Message(descriptor), value) => Field::Message(message_of(descriptor, value, environment)?),
        _ => return Err(mismatch),
    })
}

/// The value as a message of that type.
fn message_of(
    descriptor: &MessageDescriptor,
    value: &Value,
    environment: &Environment,
) -> Result<DynamicMessage, EvaluateError> {
    let mismatch = EvaluateError::InvalidArgument;
    let mut made = DynamicMessage::new(descriptor.clone());
    let mut put = |number: u32, value: Field| {
        let field = descriptor.get_field(number).ok_or(mismatch)?;
        made.try_set_field(&field, value).map_err(|_| mismatch)
    };
    match (descriptor.full_name().strip_prefix("google.protobuf.").unwrap_or_default(), value) {
        ("Any", value) => {
            let (name, bytes) = packed(value, environment)?;
            put(1, Field::String(format!("{TYPE_URL}{name}")))?;
            put(2, Field::Bytes(bytes))?;
        }
        (_, Value::Message(message)) => {
            let same = message.descriptor() == *descriptor;
            return if same { Ok(DynamicMessage::clone(message)) } else { Err(mismatch) };
        }
        (
            "BoolValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value" | "FloatValue" | "DoubleValue"
            | "StringValue" | "BytesValue",
            value,
        ) => {
            let kind = descriptor.get_field(1).ok_or(mismatch)?.kind();
            put(1, single(&kind, value, environment)?)?;
        }
        ("Duration", Value::Duration(time)) => {
            // Both parts have the sign.
            put(1, Field::I64(i64::try_from(time / SECOND).map_err(|_| mismatch)?))?;
            put(2, Field::I32(i32::try_from(time % SECOND).map_err(|_| mismatch)?))?;
        }
        ("Timestamp", Value::Timestamp(time)) => {
            put(1, Field::I64(i64::try_from(time.div_euclid(SECOND)).map_err(|_| mismatch)?))?;
            put(2, Field::I32(i32::try_from(time.rem_euclid(SECOND)).map_err(|_| mismatch)?))?;
        }
        ("Struct", Value::Map(_)) | ("ListValue", Value::List(_)) => {
            let field = descriptor.get_field(1).ok_or(mismatch)?;
            set(&mut made, &field, value, environment)?;
        }
        ("Value", value) => {
            let (number, value) = json(descriptor, value, environment)?;
            put(number, value)?;
        }
        _ => return Err(mismatch),
    }
    Ok(made)
}

/// Which field of `google.protobuf.Value` holds it, and how.
fn json(
    descriptor: &MessageDescriptor,
    value: &Value,
    environment: &Environment,
) -> Result<(u32, Field), EvaluateError> {
    /// Beyond these JSON numbers are not exact.
    const EXACT: u64 = 1 << 53;
    let mismatch = EvaluateError::InvalidArgument;
    let inner = |number: u32| {
        let kind = descriptor.get_field(number).ok_or(mismatch)?.kind();
        Ok((number, single(&kind, value, environment)?))
    };
    #[expect(clippy::cast_precision_loss, reason = "only what is exact is cast")]
    Ok(match value {
        Value::Null => (1, Field::EnumNumber(0)),
        Value::Double(value) => (2, Field::F64(*value)),
        Value::Int(value) if value.unsigned_abs() < EXACT => (2, Field::F64(*value as f64)),
        Value::UInt(value) if *value < EXACT => (2, Field::F64(*value as f64)),
        Value::Int(value) => (3, Field::String(value.to_string())),
        Value::UInt(value) => (3, Field::String(value.to_string())),
        Value::String(value) => (3, Field::String(String::from_utf8(value.to_vec()).map_err(|_| mismatch)?)),
        Value::Bool(value) => (4, Field::Bool(*value)),
        Value::Map(_) => return inner(5),
        Value::List(_) => return inner(6),
        Value::Duration(value) => (3, Field::String(crate::time::duration_text(*value))),
        Value::Timestamp(value) => (3, Field::String(crate::time::json_timestamp(*value))),
        _ => return Err(mismatch),
    })
}

/// The type and the bytes that a `google.protobuf.Any` gets.
fn packed(value: &Value, environment: &Environment) -> Result<(String, Bytes), EvaluateError> {
    let mismatch = EvaluateError::InvalidArgument;
    if let Value::Message(message) = value {
        return Ok((message.descriptor().full_name().to_owned(), Bytes::from(message.encode_to_vec())));
    }
    let name = match value {
        Value::Bool(_) => "BoolValue",
        Value::Int(_) => "Int64Value",
        Value::UInt(_) => "UInt64Value",
        Value::Double(_) => "DoubleValue",
        Value::String(_) => "StringValue",
        Value::Bytes(_) => "BytesValue",
        Value::Duration(_) => "Duration",
        Value::Timestamp(_) => "Timestamp",
        Value::Map(_) => "Struct",
        Value::List(_) => "ListValue",
        Value::Null => "Value",
        _ => return Err(mismatch),
    };
    let name = format!("google.protobuf.{name}");
    let descriptor = environment.message(&name).ok_or(mismatch)?;
    Ok((name, Bytes::from(message_of(&descriptor, value, environment)?.encode_to_vec())))
}
