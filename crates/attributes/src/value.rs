//! A value of an attribute, typed as CEL types it.

use std::borrow::Cow;

use crate::LookupError;

/// A typed value. Borrowed where the stream has the bytes already.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// No value; has no byte form.
    Null,
    /// One byte, 0 or 1.
    Bool(bool),
    /// 8 bytes, little endian.
    Int(i64),
    /// 8 bytes, little endian.
    UInt(u64),
    /// 8 bytes, little endian.
    Double(f64),
    /// Text, though not always UTF-8: header values are not.
    String(Cow<'a, [u8]>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// Nanoseconds, 8 bytes, little endian.
    Duration(i64),
    /// Nanoseconds since the Unix epoch, 8 bytes, little endian.
    Timestamp(i64),
    /// A protobuf message, serialized.
    Message(Cow<'a, [u8]>),
    /// Keys and values; their bytes are those of a header map.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// Elements; their bytes are those of a map with the elements as keys and empty values.
    List(Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    /// Text that lives elsewhere.
    #[must_use]
    pub fn str(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text.as_bytes()))
    }

    /// The value without a lifetime.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::UInt(v) => Value::UInt(v),
            Self::Double(v) => Value::Double(v),
            Self::String(v) => Value::String(Cow::Owned(v.into_owned())),
            Self::Bytes(v) => Value::Bytes(Cow::Owned(v.into_owned())),
            Self::Duration(v) => Value::Duration(v),
            Self::Timestamp(v) => Value::Timestamp(v),
            Self::Message(v) => Value::Message(Cow::Owned(v.into_owned())),
            Self::Map(v) => Value::Map(v.into_iter().map(|(k, v)| (k.into_owned(), v.into_owned())).collect()),
            Self::List(v) => Value::List(v.into_iter().map(Value::into_owned).collect()),
        }
    }

    /// Appends the bytes that `proxy_get_property` hands out (observed in Envoy 1.40).
    ///
    /// # Errors
    /// [`LookupError::NoByteForm`] for null, also inside a map or list; `out` may then hold a part.
    pub fn serialize(&self, out: &mut Vec<u8>) -> Result<(), LookupError> {
        match self {
            Self::Null => return Err(LookupError::NoByteForm),
            Self::Bool(v) => out.push(u8::from(*v)),
            Self::Int(v) | Self::Duration(v) | Self::Timestamp(v) => out.extend_from_slice(&v.to_le_bytes()),
            Self::UInt(v) => out.extend_from_slice(&v.to_le_bytes()),
            Self::Double(v) => out.extend_from_slice(&v.to_le_bytes()),
            Self::String(v) | Self::Bytes(v) | Self::Message(v) => out.extend_from_slice(v),
            Self::Map(entries) => serialize_pairs(entries.iter().map(|(k, v)| (k, Some(v))), out)?,
            Self::List(elements) => serialize_pairs(elements.iter().map(|e| (e, None)), out)?,
        }
        Ok(())
    }
}

/// The pairs format: a count, the lengths of every key and value, then each of them with a NUL behind it.
fn serialize_pairs<'v, 'a: 'v>(
    pairs: impl ExactSizeIterator<Item = (&'v Value<'a>, Option<&'v Value<'a>>)>,
    out: &mut Vec<u8>,
) -> Result<(), LookupError> {
    let count = pairs.len();
    let mut lengths = Vec::with_capacity(count * 8);
    let mut body = Vec::new();
    let mut put = |value: Option<&Value<'a>>| {
        let before = body.len();
        value.map_or(Ok(()), |v| v.serialize(&mut body))?;
        let length = u32::try_from(body.len() - before).map_err(|_| LookupError::NoByteForm)?;
        lengths.extend_from_slice(&length.to_le_bytes());
        body.push(0);
        Ok(())
    };
    for (key, value) in pairs {
        put(Some(key))?;
        put(value)?;
    }
    let count = u32::try_from(count).map_err(|_| LookupError::NoByteForm)?;
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&lengths);
    out.extend_from_slice(&body);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn bytes(value: &Value<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        value.serialize(&mut out).unwrap();
        out
    }

    #[test]
    fn scalars_are_little_endian_and_strings_raw() {
        assert_eq!(bytes(&Value::Int(-2)), (-2_i64).to_le_bytes());
        assert_eq!(bytes(&Value::UInt(7)), 7_u64.to_le_bytes());
        assert_eq!(bytes(&Value::Double(1.5)), 1.5_f64.to_le_bytes());
        assert_eq!(bytes(&Value::Bool(true)), [1]);
        assert_eq!(bytes(&Value::str("a\u{e9}")), "a\u{e9}".as_bytes());
    }

    #[test]
    fn maps_have_the_pairs_format_and_lists_empty_values() {
        let map = Value::Map(vec![(Value::str("k"), Value::str("vv"))]);
        assert_eq!(bytes(&map), b"\x01\0\0\0\x01\0\0\0\x02\0\0\0k\0vv\0");
        let list = Value::List(vec![Value::Int(1)]);
        assert_eq!(bytes(&list), b"\x01\0\0\0\x08\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0");
        assert_eq!(bytes(&Value::Map(Vec::new())), [0; 4]);
    }

    #[test]
    fn null_has_no_bytes_even_inside() {
        let map = Value::Map(vec![(Value::str("k"), Value::Null)]);
        assert_eq!(map.serialize(&mut Vec::new()), Err(LookupError::NoByteForm));
        assert_eq!(Value::Null.serialize(&mut Vec::new()), Err(LookupError::NoByteForm));
    }
}
