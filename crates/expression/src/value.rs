//! The values of the language.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage};
use sandgate_attributes::{self as attributes, LookupError};

use crate::activation::Attributes;

mod equality;
mod map;

pub(crate) use equality::{equals, order};
pub use map::Map;

/// A value. Cheap to clone: what is large is shared.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value {
    /// `null`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `uint`.
    UInt(u64),
    /// `double`.
    Double(f64),
    /// `string`, though not always UTF-8: header values are not.
    String(Bytes),
    /// `bytes`.
    Bytes(Bytes),
    /// `google.protobuf.Duration`, in nanoseconds.
    Duration(i128),
    /// `google.protobuf.Timestamp`, in nanoseconds since the Unix epoch.
    Timestamp(i128),
    /// `list`.
    List(Arc<Vec<Value>>),
    /// `map`.
    Map(Arc<Map>),
    /// A message that is none of the well-known types which are values by themselves.
    Message(Arc<DynamicMessage>),
    /// A type, by its name.
    Type(Bytes),
    /// A branch of the attribute tree, read when it is selected from.
    Attributes(Attributes),
}

// === impl Value ===

impl Value {
    pub(crate) fn list(elements: Vec<Self>) -> Self {
        Self::List(Arc::new(elements))
    }

    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self::String(Bytes::from(text.into()))
    }

    /// The name of the value's type.
    pub(crate) fn type_name(&self) -> Bytes {
        Bytes::from_static(match self {
            Self::Null => b"null_type",
            Self::Bool(_) => b"bool",
            Self::Int(_) => b"int",
            Self::UInt(_) => b"uint",
            Self::Double(_) => b"double",
            Self::String(_) => b"string",
            Self::Bytes(_) => b"bytes",
            Self::Duration(_) => b"google.protobuf.Duration",
            Self::Timestamp(_) => b"google.protobuf.Timestamp",
            Self::List(_) => b"list",
            Self::Map(_) | Self::Attributes(_) => b"map",
            Self::Type(_) => b"type",
            Self::Message(message) => return Bytes::from(message.descriptor().full_name().to_owned()),
        })
    }

    /// An attribute's value.
    pub(crate) fn of_attribute(value: attributes::Value<'_>) -> Option<Self> {
        Some(match value {
            attributes::Value::Null => Self::Null,
            attributes::Value::Bool(v) => Self::Bool(v),
            attributes::Value::Int(v) => Self::Int(v),
            attributes::Value::UInt(v) => Self::UInt(v),
            attributes::Value::Double(v) => Self::Double(v),
            attributes::Value::String(v) => Self::String(owned(v)),
            attributes::Value::Bytes(v) => Self::Bytes(owned(v)),
            attributes::Value::Duration(v) => Self::Duration(v.into()),
            attributes::Value::Timestamp(v) => Self::Timestamp(v.into()),
            attributes::Value::List(v) => Self::list(v.into_iter().map(Self::of_attribute).collect::<Option<_>>()?),
            attributes::Value::Map(v) => {
                let entries = v.into_iter().map(|(k, v)| Some((Self::of_attribute(k)?, Self::of_attribute(v)?)));
                Self::Map(Arc::new(Map::new(entries.collect::<Option<_>>()?)?))
            }
            // Whose type only its path tells.
            _ => return None,
        })
    }

    pub(crate) fn as_attribute(&self) -> Option<attributes::Value<'_>> {
        Some(match self {
            Self::Null | Self::Type(_) | Self::Attributes(_) => return None,
            Self::Bool(v) => attributes::Value::Bool(*v),
            Self::Int(v) => attributes::Value::Int(*v),
            Self::UInt(v) => attributes::Value::UInt(*v),
            Self::Double(v) => attributes::Value::Double(*v),
            Self::String(v) => attributes::Value::String(Cow::Borrowed(v)),
            Self::Bytes(v) => attributes::Value::Bytes(Cow::Borrowed(v)),
            Self::Duration(v) => attributes::Value::Duration(saturated(*v)),
            Self::Timestamp(v) => attributes::Value::Timestamp(saturated(*v)),
            Self::Message(v) => attributes::Value::Message(Cow::Owned(v.encode_to_vec())),
            Self::List(v) => attributes::Value::List(v.iter().map(Self::as_attribute).collect::<Option<_>>()?),
            Self::Map(v) => {
                let entries = v.entries().iter().map(|(k, v)| Some((k.as_attribute()?, v.as_attribute()?)));
                attributes::Value::Map(entries.collect::<Option<_>>()?)
            }
        })
    }

    /// Appends the bytes that plugins see, those of `proxy_get_property`.
    ///
    /// # Errors
    /// Null, types and branches of the attribute tree have none, also inside lists and maps.
    pub fn serialize(&self, out: &mut Vec<u8>) -> Result<(), LookupError> {
        self.as_attribute().ok_or(LookupError::NoByteForm)?.serialize(out)
    }
}

fn owned(bytes: Cow<'_, [u8]>) -> Bytes {
    match bytes {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

/// Nanoseconds in 64 bits; beyond them Envoy 1.40 hands out the nearest.
fn saturated(nanoseconds: i128) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}
