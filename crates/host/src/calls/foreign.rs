//! `proxy_call_foreign_function`: which function a name is.

use sandgate_abi::Status;
use sandgate_vm::Output;

use super::{expressions, properties};
use crate::foreign::{self, ForeignCall, Uncompressed};
use crate::limits::Limit;
use crate::vm::state::VmState;

/// Calls the function `name`. What is left in `out` when it fails is not shown to the guest.
pub(super) fn call(state: &VmState, name: &[u8], arguments: &[u8], out: &mut Output) -> Result<(), Status> {
    if let Some(function) = state.host.foreign_function(name) {
        let context = state.acting();
        let stream = context.as_ref().and_then(|context| context.as_stream()?.stream());
        let config = context.as_ref().map(|context| context.plugin.config());
        let call = ForeignCall {
            arguments,
            plugin_name: config.map_or("", |config| &config.name),
            root_id: config.map_or("", |config| &config.root_id),
            stream: stream.as_deref(),
        };
        return function(&call, out.bytes_mut());
    }
    match name {
        b"clear_route_cache" => {
            super::streams::clear_route_cache(state);
            Ok(())
        }
        b"declare_property" => properties::declare(state, arguments),
        b"set_envoy_filter_state" => properties::set_envoy_filter_state(state, arguments),
        b"verify_signature" => foreign::verify_signature(arguments, out.bytes_mut()),
        b"sign" => foreign::sign(arguments, out.bytes_mut()),
        b"compress" => {
            if foreign::compress(arguments, out.bytes_mut()) {
                Ok(())
            } else {
                Err(Status::SerializationFailure)
            }
        }
        b"uncompress" => uncompress(state, arguments, out),
        b"expr_create" => expressions::create(state, arguments, out),
        b"expr_evaluate" => expressions::evaluate(state, arguments, out),
        b"expr_delete" => expressions::delete(state, arguments),
        _ => Err(Status::NotFound),
    }
}

/// Whether [`call`] knows the name.
pub(super) fn exists(state: &VmState, name: &[u8]) -> bool {
    state.host.foreign_function(name).is_some()
        || matches!(
            name,
            b"clear_route_cache"
                | b"declare_property"
                | b"set_envoy_filter_state"
                | b"verify_signature"
                | b"sign"
                | b"compress"
                | b"uncompress"
                | b"expr_create"
                | b"expr_evaluate"
                | b"expr_delete"
        )
}

fn uncompress(state: &VmState, data: &[u8], out: &mut Output) -> Result<(), Status> {
    match foreign::uncompress(data, state.limits.uncompressed_bytes, out.bytes_mut()) {
        Uncompressed::Whole => Ok(()),
        Uncompressed::Malformed => Err(Status::SerializationFailure),
        Uncompressed::TooLarge => Err(state.breach(Limit::Uncompressed)),
    }
}
