//! What an expression sees: the attribute tree of a stream, read lazily.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::MessageDescriptor;
use sandgate_attributes::{self as attributes, LookupError, StateValue, View};
use smallvec::SmallVec;

use crate::environment::Environment;
use crate::{Map, Value, message};

/// What an expression is evaluated over.
#[derive(Clone, Copy)]
pub struct Activation<'a> {
    view: Option<View<'a>>,
    node: Option<&'a [u8]>,
    variables: Option<Variables<'a>>,
    state: Option<&'a [u8]>,
    old_names: bool,
}

/// More variables, by name.
type Variables<'a> = &'a dyn Fn(&[u8]) -> Option<Value>;

/// A branch of the attribute tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the tree")]
pub enum Attributes {
    Request,
    RequestHeaders,
    Response,
    ResponseHeaders,
    ResponseTrailers,
    Connection,
    Upstream,
    Source,
    Destination,
    FilterState,
    Xds,
}

// === impl Attributes ===

impl Attributes {
    fn root(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"request" => Self::Request,
            b"response" => Self::Response,
            b"connection" => Self::Connection,
            b"upstream" => Self::Upstream,
            b"source" => Self::Source,
            b"destination" => Self::Destination,
            b"filter_state" => Self::FilterState,
            b"xds" => Self::Xds,
            _ => return None,
        })
    }

    fn path(self) -> &'static [u8] {
        match self {
            Self::Request => b"request",
            Self::RequestHeaders => b"request\0headers",
            Self::Response => b"response",
            Self::ResponseHeaders => b"response\0headers",
            Self::ResponseTrailers => b"response\0trailers",
            Self::Connection => b"connection",
            Self::Upstream => b"upstream",
            Self::Source => b"source",
            Self::Destination => b"destination",
            Self::FilterState => b"filter_state",
            Self::Xds => b"xds",
        }
    }

    fn branch(self, name: &[u8]) -> Option<Self> {
        match (self, name) {
            (Self::Request, b"headers") => Some(Self::RequestHeaders),
            (Self::Response, b"headers") => Some(Self::ResponseHeaders),
            (Self::Response, b"trailers") => Some(Self::ResponseTrailers),
            _ => None,
        }
    }

    /// The type of what is there, if that is a message.
    fn message(self, name: &[u8], environment: &Environment) -> Option<MessageDescriptor> {
        match (self, name) {
            (Self::Xds, b"node") => environment.message("envoy.config.core.v3.Node"),
            (Self::Upstream, b"locality") => environment.message("envoy.config.core.v3.Locality"),
            (Self::Xds, _) => environment.message("envoy.config.core.v3.Metadata"),
            _ => None,
        }
    }

    /// Whether its keys can be listed; others look empty.
    pub(crate) fn is_headers(self) -> bool {
        matches!(self, Self::RequestHeaders | Self::ResponseHeaders | Self::ResponseTrailers)
    }
}

// === impl Activation ===

impl<'a> Activation<'a> {
    /// The attributes of a stream.
    #[must_use]
    pub fn stream(view: View<'a>) -> Self {
        Self { view: Some(view), node: None, variables: None, state: None, old_names: false }
    }

    /// No stream: every variable is unknown.
    #[must_use]
    pub fn none() -> Self {
        Self { view: None, node: None, variables: None, state: None, old_names: false }
    }

    /// With this serialized `envoy.config.core.v3.Node` as `xds.node`, stream or not.
    #[must_use]
    pub fn with_node(self, node: Option<&'a [u8]>) -> Self {
        Self { node, ..self }
    }

    /// With more variables, asked for after those of the tree.
    #[must_use]
    pub fn with_variables(self, variables: &'a dyn Fn(&[u8]) -> Option<Value>) -> Self {
        Self { variables: Some(variables), ..self }
    }

    /// With the filter state objects whose names begin with `prefix` as variables, without it, asked for last.
    #[must_use]
    pub fn with_state(self, prefix: &'a [u8]) -> Self {
        Self { state: Some(prefix), ..self }
    }

    /// With the members of `xds` that once were variables as variables, too.
    #[must_use]
    pub fn with_old_names(self, old_names: bool) -> Self {
        Self { old_names, ..self }
    }

    pub(crate) fn variable(&self, name: &[u8], environment: &Environment) -> Option<Value> {
        if let Some(root) = Attributes::root(name) {
            let is_there = self.view.is_some() || root == Attributes::Xds;
            return is_there.then_some(Value::Attributes(root));
        }
        if name == b"metadata" {
            self.view?;
            let message = environment.message("envoy.config.core.v3.Metadata");
            return self.read(b"metadata", message);
        }
        if self.old_names && attributes::is_old_name(name) {
            return self.attribute(Attributes::Xds, name, environment);
        }
        let more = self.variables.and_then(|more| more(name));
        more.or_else(|| self.state_object(&[self.state?, name].concat(), environment))
    }

    pub(crate) fn attribute(&self, of: Attributes, name: &[u8], environment: &Environment) -> Option<Value> {
        if let Some(branch) = of.branch(name) {
            return Some(Value::Attributes(branch));
        }
        if of == Attributes::FilterState {
            return self.state_object(name, environment);
        }
        // A NUL separates the parts of a path.
        if name.contains(&0) || name.is_empty() {
            return None;
        }
        let mut path = SmallVec::<[u8; 64]>::from_slice(of.path());
        path.push(0);
        path.extend_from_slice(name);
        self.read(&path, of.message(name, environment))
    }

    /// The names of headers and their values.
    pub(crate) fn headers(&self, of: Attributes) -> Option<Value> {
        self.read(of.path(), None)
    }

    fn state_object(&self, name: &[u8], environment: &Environment) -> Option<Value> {
        let state = self.view?.source.filter_state(name)?;
        if let StateValue::Protobuf { type_url, value } = &state {
            let descriptor = environment.message(type_url.rsplit('/').next()?)?;
            return message::decode(&descriptor, value);
        }
        if let StateValue::Address(address) = &state {
            let parts = [("ip", Value::string(address.ip().to_string())), ("port", Value::Int(address.port().into()))];
            let entries = parts.map(|(name, value)| (Value::string(name), value)).into();
            return Some(Value::Map(Arc::new(Map::new(entries)?)));
        }
        Value::of_attribute(state.value()?)
    }

    fn read(&self, path: &[u8], message: Option<MessageDescriptor>) -> Option<Value> {
        let mut found = None;
        let mut take = |value: attributes::Value<'_>| {
            found = match (value, message.as_ref()) {
                (attributes::Value::Message(bytes), Some(descriptor)) => message::decode(descriptor, &bytes),
                (value, _) => Value::of_attribute(value),
            };
            Ok::<(), LookupError>(())
        };
        let looked_up = match &self.view {
            Some(view) if self.node.is_none() || path != b"xds\0node" => attributes::lookup(view, path, &mut take),
            _ => attributes::lookup_without_stream(self.node, None, path, &mut take),
        };
        looked_up.ok().and(found)
    }
}

impl fmt::Debug for Activation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation")
            .field("view", &self.view)
            .field("node", &self.node.map(Bytes::copy_from_slice))
            .finish_non_exhaustive()
    }
}
