//! From a path to a value: the attribute tree.

mod connection;
mod request;
mod response;
mod xds;

use crate::{AttributeSource, MetadataOf, StateValue, Value, proto};

/// Why a path has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no such attribute, or the stream does not have it now.
    #[error("there is no such attribute now")]
    NotFound,
    /// It is there and cannot be turned to bytes, such as the whole of `request`.
    #[error("the attribute has no byte form")]
    NoByteForm,
}

/// Reads Protobuf messages, whose types this crate does not know.
pub trait Messages {
    /// Hands to `take` what the names of `path` lead to in a message of that type; without names the whole of it, as a value.
    ///
    /// # Errors
    /// [`LookupError::NotFound`] if they lead nowhere, also in a message that cannot be read; [`LookupError::NoByteForm`] for the whole
    /// of such a message; else what `take` answers.
    fn read(
        &self,
        type_name: &str,
        message: &[u8],
        path: &mut dyn Iterator<Item = &[u8]>,
        take: &mut dyn FnMut(Value<'_>) -> Result<(), LookupError>,
    ) -> Result<(), LookupError>;
}

/// A stream as a plugin sees it in its present phase.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The stream.
    pub source: &'a dyn AttributeSource,
    /// Whether `request.headers` and what derives from it can be seen.
    pub request_headers: bool,
    /// The same for `response.headers`.
    pub response_headers: bool,
    /// The same for `response.trailers`.
    pub response_trailers: bool,
    /// By which parts of messages are found, but for those of dynamic metadata; without it they are not.
    pub messages: Option<&'a dyn Messages>,
}

impl<'a> View<'a> {
    /// All that `source` has.
    #[must_use]
    pub fn all(source: &'a dyn AttributeSource) -> Self {
        Self { source, request_headers: true, response_headers: true, response_trailers: true, messages: None }
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View")
            .field("request_headers", &self.request_headers)
            .field("response_headers", &self.response_headers)
            .field("response_trailers", &self.response_trailers)
            .finish_non_exhaustive()
    }
}

/// Takes a value while what it borrows is borrowed.
pub(crate) type Take<'t> = &'t mut dyn FnMut(Value<'_>) -> Result<(), LookupError>;
pub(crate) type Found = Result<(), LookupError>;

/// The segments of a path behind those already used.
pub(crate) type Rest<'p, 'a> = &'p mut (dyn Iterator<Item = &'a [u8]> + 'a);

/// Prefix of the filter state keys under which plugins' properties are kept.
pub const WASM_STATE_PREFIX: &[u8] = b"wasm.";

/// The segments of `path`: joined by NUL, one more NUL at the end allowed.
///
/// The empty path has one empty segment.
pub fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.strip_suffix(&[0]).unwrap_or(path).split(|&b| b == 0)
}

/// Finds the attribute at `path` of a stream and hands it to `take`.
///
/// Which roots there are, and what each answers, is what Envoy 1.40 was observed to do.
///
/// # Errors
/// [`LookupError::NotFound`], or [`LookupError::NoByteForm`] for a whole that cannot list its keys; else what `take` answers.
pub fn lookup(view: &View<'_>, path: &[u8], take: &mut dyn FnMut(Value<'_>) -> Result<(), LookupError>) -> Found {
    if path.is_empty() {
        return Err(LookupError::NoByteForm);
    }
    let mut rest = segments(path);
    let root = rest.next().unwrap_or_default();
    let source = view.source;
    match root {
        b"request" => request::lookup(view, part(&mut rest)?, &mut rest, take),
        b"response" => response::lookup(view, part(&mut rest)?, &mut rest, take),
        b"connection" => connection::connection(source, part(&mut rest)?, &mut rest, take),
        b"source" => connection::peer(source.downstream_remote_address(), part(&mut rest)?, &mut rest, take),
        b"destination" => connection::peer(source.downstream_local_address(), part(&mut rest)?, &mut rest, take),
        b"upstream" => connection::upstream(source, part(&mut rest)?, &mut rest, take),
        b"xds" => xds::lookup(view, part(&mut rest)?, &mut rest, take),
        b"metadata" => {
            let metadata = source.metadata(MetadataOf::Dynamic).unwrap_or_default();
            proto::metadata(&metadata, view.messages, &mut rest, take)
        }
        b"filter_state" => match source.filter_state(part(&mut rest)?) {
            Some(object) => state(&object, view.messages, &mut rest, take),
            None => Err(LookupError::NotFound),
        },
        // Nothing puts objects there.
        b"upstream_filter_state" if source.has_upstream_filter_state() => {
            part(&mut rest).and(Err(LookupError::NotFound))
        }
        b"upstream_filter_state" => Err(LookupError::NotFound),
        b"connection_id" => scalar(source.connection_id().map(Value::UInt), &mut rest, take),
        key => {
            let mut name = smallvec::SmallVec::<[u8; 64]>::from_slice(WASM_STATE_PREFIX);
            name.extend_from_slice(key);
            match source.filter_state(&name).filter(StateValue::is_property) {
                Some(property) => match (rest.next(), property.text()) {
                    // The whole of a property is its bytes, whatever it was declared to be.
                    (None, Some(bytes)) => take(Value::Bytes(bytes)),
                    (next, _) => state(&property, view.messages, &mut next.into_iter().chain(rest), take),
                },
                None => Err(LookupError::NotFound),
            }
        }
    }
}

/// The attributes that need no stream: `xds.node` alone.
///
/// # Errors
/// As [`lookup`].
pub fn lookup_without_stream(
    node: Option<&[u8]>,
    messages: Option<&dyn Messages>,
    path: &[u8],
    take: &mut dyn FnMut(Value<'_>) -> Result<(), LookupError>,
) -> Found {
    if path.is_empty() {
        return Err(LookupError::NoByteForm);
    }
    let mut rest = segments(path);
    match rest.next() {
        Some(b"xds") => match part(&mut rest)? {
            b"node" => proto::node(node.unwrap_or_default(), messages, &mut rest, take),
            _ => Err(LookupError::NotFound),
        },
        _ => Err(LookupError::NotFound),
    }
}

/// The next segment of a wrapper; the wrapper alone has no byte form.
fn part<'a>(rest: &mut dyn Iterator<Item = &'a [u8]>) -> Result<&'a [u8], LookupError> {
    rest.next().ok_or(LookupError::NoByteForm)
}

/// A value without parts: a deeper path finds nothing.
pub(crate) fn scalar(value: Option<Value<'_>>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    match (value, rest.next()) {
        (Some(value), None) => take(value),
        _ => Err(LookupError::NotFound),
    }
}

fn state(object: &StateValue, messages: Option<&dyn Messages>, rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    if let (StateValue::Protobuf { type_url, value }, Some(messages)) = (object, messages) {
        return messages.read(proto::type_name(type_url), value, rest, take);
    }
    match rest.next() {
        None => take(object.value().ok_or(LookupError::NotFound)?),
        Some(name) => scalar(object.part(name), rest, take),
    }
}
