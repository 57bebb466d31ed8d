//! Properties: the attributes of a stream, and what plugins keep with it.

use bytes::Bytes;
use sandgate_abi::Status;
use sandgate_attributes::{self as attributes, LookupError, Value, View, WASM_STATE_PREFIX};
use sandgate_vm::Output;

use crate::limits::Limit;
use crate::vm::context::{Access, Context, Phase};
use crate::vm::state::VmState;

pub(super) fn get(state: &VmState, path: &[u8], out: &mut Output) -> Result<(), Status> {
    let context = state.acting();
    if let Some(result) = context.as_ref().and_then(|context| of_plugin(state, context, path)) {
        return result.map(|value| out.extend(value)).ok_or(Status::NotFound);
    }
    let bytes = out.bytes_mut();
    let mut take = |value: Value<'_>| value.serialize(bytes);
    let stream_state = context.as_ref().and_then(|context| context.as_stream());
    let stream = stream_state.and_then(|s| s.stream());
    let found = match (stream_state, stream) {
        // The node is the process's, whoever asks.
        (Some(stream_state), Some(stream)) if !is_node(path) => {
            let all = stream_state.phase.get() == Phase::Log;
            let view = View {
                source: &*stream,
                request_headers: all || stream_state.allows(Access::REQUEST_HEADERS),
                response_headers: all || stream_state.allows(Access::RESPONSE_HEADERS),
                response_trailers: all || stream_state.allows(Access::RESPONSE_TRAILERS),
            };
            attributes::lookup(&view, path, &mut take)
        }
        _ => attributes::lookup_without_stream(state.env.node().as_deref(), path, &mut take),
    };
    found.map_err(|error| {
        out.clear();
        match error {
            LookupError::NotFound => Status::NotFound,
            LookupError::NoByteForm => Status::SerializationFailure,
        }
    })
}

fn is_node(path: &[u8]) -> bool {
    let mut segments = attributes::segments(path);
    segments.next() == Some(b"xds") && segments.next() == Some(b"node")
}

/// The attributes that every context has. The outer `None`: it is another one.
fn of_plugin<'a>(state: &'a VmState, context: &'a Context, path: &[u8]) -> Option<Option<&'a [u8]>> {
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

/// Keeps `value` with the stream as the filter state `wasm.<path>`; the names of attributes can be used and hide
/// nothing (as in Envoy).
pub(super) fn set(state: &VmState, path: &[u8], value: &[u8]) -> Result<(), Status> {
    let context = state.acting().ok_or(Status::NotFound)?;
    let stream_state = context.as_stream().ok_or(Status::NotFound)?;
    let stream = stream_state.stream().ok_or(Status::NotFound)?;
    let key = [WASM_STATE_PREFIX, path].concat();
    let old = stream.filter_state(&key).map_or(0, |value| path.len() + value.len());
    let used = stream_state.property_bytes.get().saturating_sub(old).saturating_add(path.len() + value.len());
    if used > state.host.limits().property_bytes {
        return Err(state.breach(Limit::Properties));
    }
    if !stream.set_filter_state(&key, Bytes::copy_from_slice(value)) {
        return Err(Status::BadArgument);
    }
    stream_state.property_bytes.set(used);
    Ok(())
}
