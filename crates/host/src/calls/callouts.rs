//! Callouts and foreign functions.

use std::time::Duration;

use bytes::Bytes;
use sandgate_abi::{LogLevel, Status, pairs};
use sandgate_http::{HeaderMap, HeaderMapKind};
use sandgate_vm::{OutgoingGrpc, OutgoingHttp, Output};

use crate::HttpCall;
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

/// Sends a request for the root of the acting context.
///
/// A negative timeout, an unknown cluster and missing pseudo headers are bad arguments, in this order. Trailers are read and not sent,
/// as in Envoy.
pub(super) fn http_call(state: &VmState, call: OutgoingHttp<'_>) -> Result<u32, Status> {
    let timeout = i32::try_from(call.timeout_ms).map_err(|_| Status::BadArgument)?;
    let root = state.acting().ok_or(Status::BadArgument)?.root_of();
    let callouts = state.env.callouts().filter(|callouts| callouts.has_cluster(call.upstream));
    let callouts = callouts.ok_or(Status::BadArgument)?;
    let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
    for (name, value) in pairs::decode(call.headers).into_iter().flatten() {
        headers.add(name, value);
    }
    if [b":path".as_slice(), b":method", b":authority"].into_iter().any(|name| !headers.contains(name)) {
        return Err(Status::BadArgument);
    }
    if state.callouts.len() >= state.host.limits().callouts {
        return Err(Status::InternalFailure);
    }
    if !call.body.is_empty() {
        headers.set(b"content-length", call.body.len().to_string().as_bytes());
    }
    let token = state.callouts.next_http();
    let vm = state.vm.borrow().clone();
    let done = Box::new(move |response| {
        if let Some(vm) = vm.upgrade() {
            vm.http_call_done(token, response);
        }
    });
    let call_of = HttpCall {
        headers,
        body: Bytes::copy_from_slice(call.body),
        timeout: (timeout > 0).then(|| Duration::from_millis(u64::from(call.timeout_ms))),
    };
    let handle = callouts.http_call(call.upstream, call_of, done).ok_or(Status::InternalFailure)?;
    state.callouts.insert_http(token, root, handle);
    Ok(token)
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
    let Some(root) = state.acting().map(|context| context.root_of()) else { return 0 };
    let Some(root) = root.as_root() else { return 0 };
    let status = root.callout_status.borrow();
    out.extend(&status.message);
    status.code
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
