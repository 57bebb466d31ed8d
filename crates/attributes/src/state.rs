//! Filter state: objects that filters keep with a stream or connection under names of their own.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::Value;

/// How long a filter state object lives: Envoy's `FilterState::LifeSpan`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeSpan {
    /// As long as the filter chain of one stream.
    #[default]
    FilterChain,
    /// As long as the request.
    Request,
    /// As long as the client's connection: later requests on it find the object.
    Connection,
}

/// A filter state object as readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateValue {
    /// Bytes that a plugin set (Envoy's `CelState`, what plugins that declare nothing get).
    Bytes(Bytes),
    /// A plugin declared it to be text.
    String(Bytes),
    /// A plugin declared it to be a message of that type.
    Protobuf {
        /// Such as `type.googleapis.com/google.protobuf.Struct`; by it the parts are read.
        type_url: Arc<str>,
        /// The message, serialized.
        value: Bytes,
    },
    /// An object of the proxy's own.
    Text {
        /// Its text.
        text: Bytes,
        /// What it is as JSON.
        json: StateJson,
    },
    /// One that has no text and shows nothing.
    Hidden(Bytes),
    /// An address, of which the parts are shown, `ip` and `port`.
    Address(SocketAddr),
}

/// What an object of the proxy's own is as JSON (`%FILTER_STATE(name:TYPED)%`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateJson {
    /// It has no such form.
    None,
    /// A string.
    String,
    /// The text itself is JSON: a number or truth value.
    Literal,
}

impl StateValue {
    /// Its text or bytes, as `%FILTER_STATE(name:PLAIN)%` has them; nothing if it has none.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Address(address) => Some(address.to_string().into_bytes().into()),
            other => other.kept().map(|bytes| Cow::Borrowed(&bytes[..])),
        }
    }

    /// The bytes of all that keep some to show.
    const fn kept(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes)
            | Self::String(bytes)
            | Self::Text { text: bytes, .. }
            | Self::Protobuf { value: bytes, .. } => Some(bytes),
            Self::Hidden(_) | Self::Address(_) => None,
        }
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Hidden(bytes) => bytes.len(),
            Self::Address(_) => size_of::<SocketAddr>(),
            other => other.kept().map_or(0, Bytes::len),
        }
    }

    /// Whether a plugin has set it.
    #[must_use]
    pub const fn is_property(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::String(_) | Self::Protobuf { .. })
    }

    /// The whole object as an expression sees it: a string only if it was declared so; a map whose keys cannot be listed if
    /// it has parts (observed in Envoy 1.40). Nothing if it shows nothing.
    #[must_use]
    pub fn value(&self) -> Option<Value<'_>> {
        Some(match self {
            Self::String(text) => Value::String(Cow::Borrowed(text)),
            Self::Address(_) => Value::Map(Vec::new()),
            other => Value::Bytes(Cow::Borrowed(other.kept()?)),
        })
    }

    /// A part of it by its name. The parts of messages are not known here.
    #[must_use]
    pub fn part(&self, name: &[u8]) -> Option<Value<'static>> {
        match (self, name) {
            (Self::Address(address), b"ip") => Some(Value::String(Cow::Owned(address.ip().to_string().into_bytes()))),
            (Self::Address(address), b"port") => Some(Value::Int(address.port().into())),
            _ => None,
        }
    }

    /// The same kind of object with other bytes.
    #[must_use]
    pub fn with_bytes(&self, bytes: Bytes) -> Self {
        match self {
            Self::Bytes(_) => Self::Bytes(bytes),
            Self::String(_) => Self::String(bytes),
            Self::Protobuf { type_url, .. } => Self::Protobuf { type_url: Arc::clone(type_url), value: bytes },
            Self::Text { json, .. } => Self::Text { text: bytes, json: *json },
            Self::Hidden(_) | Self::Address(_) => Self::Hidden(bytes),
        }
    }
}

/// What a plugin has declared a property to be (`declare_property`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Of that kind, and without a value.
    pub kind: StateValue,
    /// It can be set once.
    pub read_only: bool,
    /// How long it lives.
    pub life_span: LifeSpan,
}

impl Default for Declaration {
    /// What a property is that was not declared.
    fn default() -> Self {
        Self { kind: StateValue::Bytes(Bytes::new()), read_only: false, life_span: LifeSpan::FilterChain }
    }
}

/// Why a filter state object was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateRefusal {
    /// Nothing makes objects of that name.
    #[error("no object factory has that name")]
    Unknown,
    /// No such object is made of that text.
    #[error("no object can be made of that text")]
    Malformed,
    /// There is one of that name that does not go with it.
    #[error("an object of that name is there already, read-only or with another life span")]
    Conflict,
}
