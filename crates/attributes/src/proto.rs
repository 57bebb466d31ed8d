//! Paths into serialized messages: `envoy.config.core.v3.Node`, `Metadata` and `google.protobuf.Struct`.

use std::borrow::Cow;

use crate::LookupError;
use crate::Value;
use crate::lookup::{Found, Messages, Rest, Take};

/// A field of a message: its number and its bytes, or its number as a varint or fixed value.
#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// Walks into a serialized `envoy.config.core.v3.Metadata`.
pub(crate) fn metadata(message: &[u8], messages: Option<&dyn Messages>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    match rest.next() {
        None => take(Value::Message(Cow::Borrowed(message))),
        Some(b"filter_metadata") => match rest.next() {
            None => take(whole_map(message, 1, |namespace| whole_structure(namespace, 0))?),
            Some(namespace) => structure(entry(message, 1, namespace).ok_or(LookupError::NotFound)?, rest, take),
        },
        Some(b"typed_filter_metadata") => match rest.next() {
            None => take(whole_map(message, 2, |message| whole_any(message, messages))?),
            Some(name) => any(entry(message, 2, name).ok_or(LookupError::NotFound)?, messages, rest, take),
        },
        Some(_) => Err(LookupError::NotFound),
    }
}

/// Walks into what a `google.protobuf.Any` holds.
fn any(message: &[u8], messages: Option<&dyn Messages>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let Some(messages) = messages else {
        return super::lookup::scalar(Some(Value::Message(Cow::Borrowed(message))), rest, take);
    };
    let type_url = last(message, 1).and_then(as_bytes).unwrap_or_default();
    let value = last(message, 2).and_then(as_bytes).unwrap_or_default();
    messages.read(type_name(std::str::from_utf8(type_url).unwrap_or_default()), value, rest, take)
}

fn whole_any<'a>(message: &'a [u8], messages: Option<&dyn Messages>) -> Result<Value<'a>, LookupError> {
    let mut whole = Value::Null;
    any(message, messages, &mut std::iter::empty(), &mut |value| {
        whole = value.into_owned();
        Ok(())
    })?;
    Ok(whole)
}

/// The name of the type that a URL such as `type.googleapis.com/google.protobuf.Struct` names.
pub(crate) fn type_name(type_url: &str) -> &str {
    type_url.rsplit_once('/').map_or("", |(_, name)| name)
}

/// The value in a serialized `envoy.config.core.v3.Metadata` to which the keys of `path` lead, in `filter_metadata` of `namespace`.
/// `None` if there is none, or if it is malformed; without a path, the whole struct.
pub fn metadata_value<'a, 'k>(
    message: &'a [u8],
    namespace: &[u8],
    path: impl IntoIterator<Item = &'k [u8]>,
) -> Option<Value<'a>> {
    let mut path = path.into_iter();
    let root = entry(message, 1, namespace)?;
    let Some(key) = path.next() else { return whole_structure(root, 0).ok() };
    let mut value = entry(root, 1, key)?;
    for key in path {
        let Some((5, Field::Bytes(structure))) = fields(value).last() else { return None };
        value = entry(structure, 1, key)?;
    }
    whole_value(value, 0).ok()
}

/// Walks into a serialized `envoy.config.core.v3.Node`.
pub(crate) fn node(message: &[u8], messages: Option<&dyn Messages>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let text = |number, rest: Rest<'_, '_>, take: Take<'_>| {
        let value = last(message, number).and_then(as_bytes).unwrap_or_default();
        super::lookup::scalar(Some(Value::String(Cow::Borrowed(value))), rest, take)
    };
    match rest.next() {
        None => take(Value::Message(Cow::Borrowed(message))),
        Some(b"id") => text(1, rest, take),
        Some(b"cluster") => text(2, rest, take),
        Some(b"metadata") => structure(last(message, 3).and_then(as_bytes).unwrap_or_default(), rest, take),
        Some(b"user_agent_name") => text(6, rest, take),
        Some(b"user_agent_version") => text(7, rest, take),
        Some(name) => match messages {
            Some(messages) => {
                let mut path = std::iter::once(name).chain(rest);
                messages.read("envoy.config.core.v3.Node", message, &mut path, take)
            }
            None => Err(LookupError::NotFound),
        },
    }
}

/// Walks into a serialized `envoy.config.core.v3.Locality`.
pub(crate) fn locality(message: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let number = match rest.next() {
        None => return take(Value::Message(Cow::Borrowed(message))),
        Some(b"region") => 1,
        Some(b"zone") => 2,
        Some(b"sub_zone") => 3,
        Some(_) => return Err(LookupError::NotFound),
    };
    let value = last(message, number).and_then(as_bytes).unwrap_or_default();
    super::lookup::scalar(Some(Value::String(Cow::Borrowed(value))), rest, take)
}

/// Walks into a serialized `google.protobuf.Struct`. Its whole is a map, whose bytes are those of a header map.
fn structure(message: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let Some(key) = rest.next() else { return take(whole_structure(message, 0)?) };
    json_value(entry(message, 1, key).ok_or(LookupError::NotFound)?, rest, take)
}

fn json_value(message: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let Some((number, field)) = fields(message).last() else { return Err(LookupError::NoByteForm) };
    match (number, field) {
        (5, Field::Bytes(structure_bytes)) => structure(structure_bytes, rest, take),
        (6, Field::Bytes(list)) => match rest.next() {
            None => take(whole_value(message, 0)?),
            Some(index) => {
                let element = position(index).and_then(|i| fields(list).filter_map(|(_, f)| as_bytes(f)).nth(i));
                json_value(element.ok_or(LookupError::NotFound)?, rest, take)
            }
        },
        _ => super::lookup::scalar(Some(whole_value(message, 0)?), rest, take),
    }
}

/// How deep a value may nest and still be turned to bytes.
const MAX_DEPTH: u32 = 64;

fn whole_structure(message: &[u8], depth: u32) -> Result<Value<'_>, LookupError> {
    whole_map(message, 1, |value| whole_value(value, depth + 1))
}

/// The map field `number` of a message.
fn whole_map<'a>(
    message: &'a [u8],
    number: u64,
    convert: impl Fn(&'a [u8]) -> Result<Value<'a>, LookupError>,
) -> Result<Value<'a>, LookupError> {
    let mut map = Vec::new();
    for pair in fields(message).filter(|(n, _)| *n == number).filter_map(|(_, field)| as_bytes(field)) {
        let key = last(pair, 1).and_then(as_bytes).unwrap_or_default();
        let value = last(pair, 2).and_then(as_bytes).unwrap_or_default();
        map.push((Value::String(Cow::Borrowed(key)), convert(value)?));
    }
    Ok(Value::Map(map))
}

fn position(index: &[u8]) -> Option<usize> {
    std::str::from_utf8(index).ok()?.parse().ok()
}

/// A `google.protobuf.Value`.
fn whole_value(message: &[u8], depth: u32) -> Result<Value<'_>, LookupError> {
    if depth > MAX_DEPTH {
        return Err(LookupError::NoByteForm);
    }
    Ok(match fields(message).last() {
        Some((2, Field::Fixed64(bits))) => Value::Double(f64::from_bits(bits)),
        Some((3, Field::Bytes(text))) => Value::String(Cow::Borrowed(text)),
        Some((4, Field::Number(flag))) => Value::Bool(flag != 0),
        Some((5, Field::Bytes(map))) => whole_structure(map, depth + 1)?,
        Some((6, Field::Bytes(list))) => Value::List(
            fields(list)
                .filter_map(|(_, f)| as_bytes(f))
                .map(|element| whole_value(element, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        _ => Value::Null,
    })
}

/// The value of `key` in the map field `number`.
fn entry<'a>(message: &'a [u8], number: u64, key: &[u8]) -> Option<&'a [u8]> {
    let pairs = fields(message).filter(|(n, _)| *n == number).filter_map(|(_, f)| as_bytes(f));
    let found = pairs.filter(|pair| last(pair, 1).and_then(as_bytes).unwrap_or_default() == key);
    found.last().map(|pair| last(pair, 2).and_then(as_bytes).unwrap_or_default())
}

fn last(message: &[u8], number: u64) -> Option<Field<'_>> {
    fields(message).filter(|(n, _)| *n == number).map(|(_, f)| f).last()
}

fn as_bytes(field: Field<'_>) -> Option<&[u8]> {
    match field {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) | Field::Fixed64(_) => None,
    }
}

/// The fields of a message in order; ends at the first malformed one.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        loop {
            let tag = varint(&mut message)?;
            let field = match tag & 7 {
                0 => Field::Number(varint(&mut message)?),
                1 => {
                    let (bytes, rest) = message.split_first_chunk::<8>()?;
                    message = rest;
                    Field::Fixed64(u64::from_le_bytes(*bytes))
                }
                2 => {
                    let length = usize::try_from(varint(&mut message)?).ok()?;
                    let (bytes, rest) = message.split_at_checked(length)?;
                    message = rest;
                    Field::Bytes(bytes)
                }
                5 => {
                    message = message.get(4..)?;
                    continue;
                }
                _ => return None,
            };
            return Some((tag >> 3, field));
        }
    })
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
