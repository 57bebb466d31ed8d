//! gRPC calls. They belong to the root of the acting context.

use std::rc::Rc;

use sandgate_abi::{Status, pairs};
use sandgate_http::{HeaderMap, HeaderMapKind};
use sandgate_vm::OutgoingGrpc;

use super::callouts::{add_trace_context, admit};
use crate::grpc::GrpcEvent;
use crate::limits::Limit;
use crate::vm::action::Action;
use crate::vm::context::Context;
use crate::vm::grpc::{GRPC_CALL, GRPC_STREAM, KIND_MASK, Named};
use crate::vm::state::VmState;
use crate::{GrpcEvents, GrpcKind, GrpcRefusal, GrpcRequest};

/// Calls the service that `service` names: a `GrpcService` message, or else a cluster's name.
pub(super) fn unary(state: &VmState, call: OutgoingGrpc<'_>) -> Result<u32, Status> {
    start(state, GRPC_CALL, &call, GrpcKind::Unary { message: call.message, timeout_ms: call.timeout_ms })
}

/// As [`unary`], for messages that are sent later.
pub(super) fn stream(state: &VmState, call: OutgoingGrpc<'_>) -> Result<u32, Status> {
    start(state, GRPC_STREAM, &call, GrpcKind::Stream)
}

fn start(state: &VmState, kind: u32, call: &OutgoingGrpc<'_>, how: GrpcKind<'_>) -> Result<u32, Status> {
    let root = root(state).ok_or(Status::InternalFailure)?;
    // Without clusters every target is unknown.
    let client = state.env.callouts().ok_or(Status::ParseFailure)?;
    let table = &state.callouts.grpc;
    if state.callouts.len() >= state.limits.callouts {
        table.forget_ended();
        admit(state)?;
    }
    let token = table.next(kind);
    let mut metadata = HeaderMap::with_kind(HeaderMapKind::Request);
    for (name, value) in pairs::decode(call.initial_metadata).into_iter().flatten() {
        metadata.add(name, value);
    }
    if client.propagates_trace_context() {
        add_trace_context(state, &mut metadata);
    }
    let request = GrpcRequest {
        target: call.service,
        service: call.service_name,
        method: call.method,
        metadata: &metadata,
        kind: how,
        message_limit: state.limits.body_bytes,
    };
    let events = GrpcEvents { vm: state.vm.borrow().clone(), root: Rc::downgrade(&root), token };
    let started = client.grpc_call(&request, events);
    if !matches!(started, Err(GrpcRefusal::UnknownTarget)) {
        table.take(token);
    }
    match started {
        Ok(call) => {
            table.insert(token, root, call);
            Ok(token)
        }
        Err(GrpcRefusal::UnknownTarget) => Err(Status::ParseFailure),
        Err(GrpcRefusal::UnusableTarget) => Err(Status::BadArgument),
        Err(GrpcRefusal::Ended(end)) => {
            let tell = |event| state.later(Action::Grpc { root: Rc::clone(&root), token, event });
            if let Some(trailers) = end.trailers.filter(|_| kind == GRPC_STREAM) {
                tell(GrpcEvent::InitialMetadata(HeaderMap::default()));
                tell(GrpcEvent::TrailingMetadata(trailers));
            }
            tell(GrpcEvent::Close { status: end.status, message: end.message });
            Err(Status::InternalFailure)
        }
    }
}

/// Sends a message of a stream. To one that its service has ended there is nothing to send.
pub(super) fn send(state: &VmState, token: u32, message: &[u8], end: bool) -> Result<(), Status> {
    if token & KIND_MASK != GRPC_STREAM {
        return Err(Status::BadArgument);
    }
    let named = root(state).and_then(|root| state.callouts.grpc.get(&root, token)).ok_or(Status::NotFound)?;
    let Named::Call(call) = named else { return Ok(()) };
    if call.queued_bytes().saturating_add(message.len()) > state.limits.grpc_queue_bytes {
        return Err(state.breach(Limit::GrpcQueue));
    }
    call.send(message, end);
    Ok(())
}

/// Cancels a call or a stream, of which the guest then hears no more.
pub(super) fn cancel(state: &VmState, token: u32) -> Result<(), Status> {
    known(token, root(state).is_some_and(|root| state.callouts.grpc.cancel(&root, token)))
}

/// Cancels a call, or ends the guest's side of a stream.
pub(super) fn close(state: &VmState, token: u32) -> Result<(), Status> {
    let Some(root) = root(state).filter(|_| token & KIND_MASK == GRPC_STREAM) else { return cancel(state, token) };
    known(token, state.callouts.grpc.close(&root, token))
}

fn known(token: u32, known: bool) -> Result<(), Status> {
    match token & KIND_MASK {
        GRPC_CALL | GRPC_STREAM if known => Ok(()),
        GRPC_CALL | GRPC_STREAM => Err(Status::NotFound),
        _ => Err(Status::BadArgument),
    }
}

fn root(state: &VmState) -> Option<Rc<Context>> {
    Some(state.acting()?.root_of())
}
