//! Properties: the attributes of a stream, and what plugins keep with it.

use bytes::Bytes;
use prost::Message;
use sandgate_abi::Status;
use sandgate_attributes::{
    self as attributes, AttributeSource, Declaration, LifeSpan, LookupError, StateRefusal, StateValue, Value, View,
    WASM_STATE_PREFIX,
};
use sandgate_vm::Output;

use crate::foreign::messages::{DeclarePropertyArguments, SetEnvoyFilterStateArguments, WasmType};
use crate::limits::Limit;
use crate::vm::context::{Access, Context, ContextKind};
use crate::vm::state::VmState;

/// What a declaration counts for besides its name and type.
const DECLARATION_BYTES: usize = 64;

pub(super) fn get(state: &VmState, path: &[u8], out: &mut Output) -> Result<(), Status> {
    let context = state.acting();
    if let Some(result) = context.as_ref().and_then(|context| of_plugin(state, context, path)) {
        return result.map(|value| out.extend(value)).ok_or(Status::NotFound);
    }
    let renamed = if state.host.old_attributes() { attributes::renamed(path) } else { None };
    let path = renamed.as_deref().unwrap_or(path);
    let bytes = out.bytes_mut();
    let mut take = |value: Value<'_>| value.serialize(bytes);
    let messages = state.host.expressions();
    let is_root = context.as_ref().is_some_and(|context| context.as_root().is_some());
    let found = match context.as_ref().and_then(|context| context.attributes()) {
        // An access log knows of no connection that is a filter's (as in Envoy).
        Some(_) if is_root && attributes::segments(path).next() == Some(b"connection_id") => Err(LookupError::NotFound),
        // The node is the process's, whoever asks.
        Some(source) if !is_node(path) => {
            let view = context.as_ref().map(|context| view(context, &*source)).ok_or(Status::NotFound)?;
            attributes::lookup(&View { messages: Some(messages), ..view }, path, &mut take)
        }
        _ => attributes::lookup_without_stream(state.env.node().as_deref(), Some(messages), path, &mut take),
    };
    found.map_err(|error| {
        out.clear();
        match error {
            LookupError::NotFound => Status::NotFound,
            LookupError::NoByteForm => Status::SerializationFailure,
        }
    })
}

/// The stream or connection as a guest sees it now.
pub(super) fn view<'a>(context: &Context, source: &'a dyn AttributeSource) -> View<'a> {
    let logging = context.is_logging();
    let sees = |access| logging || context.as_stream().is_some_and(|stream| stream.allows(access));
    View {
        source,
        request_headers: sees(Access::REQUEST_HEADERS),
        response_headers: sees(Access::RESPONSE_HEADERS),
        response_trailers: sees(Access::RESPONSE_TRAILERS),
        messages: None,
    }
}

fn is_node(path: &[u8]) -> bool {
    let mut segments = attributes::segments(path);
    segments.next() == Some(b"xds") && segments.next() == Some(b"node")
}

/// The attributes that every context has. The outer `None`: it is another one.
pub(super) fn of_plugin<'a>(state: &'a VmState, context: &'a Context, path: &[u8]) -> Option<Option<&'a [u8]>> {
    if !path.starts_with(b"plugin_") {
        return None;
    }
    let mut segments = attributes::segments(path);
    let config = context.plugin.config();
    let value = match segments.next()? {
        b"plugin_name" => config.name.as_bytes(),
        b"plugin_root_id" => config.root_id.as_bytes(),
        b"plugin_vm_id" => state.base.config.vm_id.as_bytes(),
        _ => return None,
    };
    Some(segments.next().is_none().then_some(value))
}

/// Keeps `value` with the stream, or longer if it was declared so, as the filter state `wasm.<path>`; the names of
/// attributes can be used and hide nothing (as in Envoy).
pub(super) fn set(state: &VmState, path: &[u8], value: &[u8]) -> Result<(), Status> {
    let context = state.acting().ok_or(Status::NotFound)?;
    let property_bytes = match &context.kind {
        ContextKind::Root(_) => return Err(Status::NotFound),
        ContextKind::Stream(stream) => &stream.property_bytes,
        ContextKind::Connection(connection) => &connection.property_bytes,
    };
    let key = [WASM_STATE_PREFIX, path].concat();
    let source = context.attributes().ok_or(Status::NotFound)?;
    let declared = context.root_of().declared.borrow().get(path).cloned().unwrap_or_default();
    let old = source.filter_state(&key).map_or(0, |value| path.len() + value.size());
    // Requests come and go: what they leave with their connection counts as a whole.
    let with_connection = context.as_stream().filter(|_| declared.life_span == LifeSpan::Connection);
    let kept = match with_connection {
        Some(stream) => stream.stream().map_or(0, |stream| stream.connection_state_bytes()),
        None => property_bytes.get(),
    };
    let used = kept.saturating_sub(old).saturating_add(path.len() + value.len());
    if used > state.limits.property_bytes {
        return Err(state.breach(Limit::Properties));
    }
    let value = Bytes::copy_from_slice(value);
    let set = match &context.kind {
        ContextKind::Root(_) => None,
        ContextKind::Stream(stream) => stream.stream().map(|stream| stream.set_property(&key, value, &declared)),
        ContextKind::Connection(connection) => {
            connection.stream().map(|stream| stream.set_property(&key, value, &declared))
        }
    };
    if set != Some(true) {
        return Err(Status::BadArgument);
    }
    if with_connection.is_none() {
        property_bytes.set(used);
    }
    Ok(())
}

/// `declare_property`: what a property is when it is set. Only what is declared in a callback of the root counts.
pub(super) fn declare(state: &VmState, arguments: &[u8]) -> Result<(), Status> {
    let arguments = DeclarePropertyArguments::decode(arguments).map_err(|_| Status::BadArgument)?;
    // Not the effective one (as in Envoy).
    let context = state.current.borrow().clone().ok_or(Status::BadArgument)?;
    let kind = match arguments.r#type() {
        WasmType::Bytes => StateValue::Bytes(Bytes::new()),
        WasmType::String => StateValue::String(Bytes::new()),
        WasmType::Protobuf => {
            let type_url = String::from_utf8_lossy(&arguments.schema).into();
            StateValue::Protobuf { type_url, value: Bytes::new() }
        }
        WasmType::FlatBuffers => {
            super::callouts::not_supported(state, "declare_property with FlatBuffers");
            return Err(Status::BadArgument);
        }
    };
    let size = |name: &[u8], kind: &StateValue| match kind {
        StateValue::Protobuf { type_url, .. } => name.len() + type_url.len(),
        _ => name.len(),
    };
    let mut declared = context.declared.borrow_mut();
    let used: usize = declared.iter().map(|(name, one)| size(name, &one.kind) + DECLARATION_BYTES).sum();
    let name = arguments.name.as_bytes();
    if declared.contains_key(name) {
        return Err(Status::BadArgument);
    }
    if used + size(name, &kind) + DECLARATION_BYTES > state.limits.property_bytes {
        return Err(state.breach(Limit::Properties));
    }
    let life_span = arguments.span().into();
    declared.insert(name.into(), Declaration { kind, read_only: arguments.readonly, life_span });
    Ok(())
}

/// `set_envoy_filter_state`: an object of the proxy's own.
pub(super) fn set_envoy_filter_state(state: &VmState, arguments: &[u8]) -> Result<(), Status> {
    let arguments = SetEnvoyFilterStateArguments::decode(arguments).map_err(|_| Status::BadArgument)?;
    let context = state.acting().ok_or(Status::NotFound)?;
    let (path, value, span) = (&arguments.path, &arguments.value, arguments.span().into());
    let set = match &context.kind {
        ContextKind::Root(_) => None,
        ContextKind::Stream(stream) => stream.stream().map(|stream| stream.set_envoy_filter_state(path, value, span)),
        ContextKind::Connection(connection) => {
            connection.stream().map(|stream| stream.set_envoy_filter_state(path, value, span))
        }
    };
    let set = set.ok_or(Status::NotFound)?;
    set.map_err(|refusal| match refusal {
        StateRefusal::Unknown => Status::NotFound,
        StateRefusal::Malformed | StateRefusal::Conflict => Status::BadArgument,
    })
}
