//! Callouts and foreign functions: for now what an Envoy without clusters answers.

use sandgate_abi::{LogLevel, Status};
use sandgate_vm::{OutgoingGrpc, OutgoingHttp, Output};

use crate::vm::action::Action;
use crate::vm::state::VmState;

/// Kinds of callout: the two lowest bits of a token. 0 is an HTTP call.
const KIND_MASK: u32 = 3;
const GRPC_CALL: u32 = 1;
const GRPC_STREAM: u32 = 2;

/// The two ways to call a gRPC service.
#[derive(Clone, Copy, Debug)]
pub(super) enum GrpcCall {
    Unary,
    Stream,
}

/// Says once per VM that a hostcall does not work yet.
pub(super) fn not_supported(state: &VmState, call: &'static str) {
    let mut reported = state.reported.borrow_mut();
    if !reported.contains(&call) {
        reported.push(call);
        drop(reported);
        let vm_id = &state.base.config.vm_id;
        state.note(
            LogLevel::Warn,
            format_args!("{call} is not supported yet (vm_id {vm_id:?}): the plugin gets an error"),
        );
    }
}

/// A negative timeout, an unknown cluster and missing pseudo headers are all bad arguments, and every cluster is unknown.
pub(super) fn http_call(state: &VmState, _call: OutgoingHttp<'_>) -> Result<u32, Status> {
    not_supported(state, "proxy_http_call");
    Err(Status::BadArgument)
}

/// Calls the service that `service` names: a `GrpcService` message, or else a cluster's name.
///
/// As there are no clusters, the former fails at once, of which the guest hears by `proxy_on_grpc_close` after its
/// callback, and the latter is the name of none.
pub(super) fn grpc(state: &VmState, call: GrpcCall, arguments: OutgoingGrpc<'_>) -> Result<u32, Status> {
    let (name, kind) = match call {
        GrpcCall::Unary => ("proxy_grpc_call", GRPC_CALL),
        GrpcCall::Stream => ("proxy_grpc_stream", GRPC_STREAM),
    };
    not_supported(state, name);
    if !is_grpc_service(arguments.service) {
        return Err(Status::ParseFailure);
    }
    if let Some(context) = state.acting() {
        let number = state.last_grpc.get().wrapping_add(1);
        state.last_grpc.set(number);
        let token = number.wrapping_mul(4) | kind;
        state.later(Action::CloseGrpc { root: context.root_of(), token });
    }
    Err(Status::InternalFailure)
}

pub(super) fn grpc_send(token: u32) -> Result<(), Status> {
    if token & KIND_MASK == GRPC_STREAM { Err(Status::NotFound) } else { Err(Status::BadArgument) }
}

/// `proxy_grpc_cancel` and `proxy_grpc_close`.
pub(super) fn grpc_end(token: u32) -> Result<(), Status> {
    match token & KIND_MASK {
        GRPC_CALL | GRPC_STREAM => Err(Status::NotFound),
        _ => Err(Status::BadArgument),
    }
}

/// The result of the callout whose callback runs.
pub(super) fn status(state: &VmState, out: &mut Output) -> u32 {
    let (code, message) = state.callout_status.get();
    out.extend(message.as_bytes());
    code
}

/// Whether the bytes are an `envoy.config.core.v3.GrpcService` with a target (field 1 or 2), as far as the wire format
/// shows. One without a target aborts Envoy.
fn is_grpc_service(mut message: &[u8]) -> bool {
    let mut target = false;
    while !message.is_empty() {
        let Some(tag) = varint(&mut message) else { return false };
        let length = match tag & 7 {
            0 => varint(&mut message).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut message).and_then(|length| usize::try_from(length).ok()),
            5 => Some(4),
            _ => None,
        };
        let Some(rest) = length.and_then(|length| message.get(length..)) else { return false };
        message = rest;
        target |= matches!(tag, 0x0a | 0x12);
    }
    target
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
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

pub(super) fn foreign_function(state: &VmState, name: &[u8]) -> Result<(), Status> {
    if name == b"clear_route_cache" {
        super::streams::clear_route_cache(state);
        return Ok(());
    }
    let known = [
        "compress",
        "uncompress",
        "sign",
        "verify_signature",
        "set_envoy_filter_state",
        "declare_property",
        "expr_create",
        "expr_evaluate",
        "expr_delete",
    ];
    if let Some(known) = known.into_iter().find(|known| known.as_bytes() == name) {
        not_supported(state, known);
    }
    Err(Status::NotFound)
}
