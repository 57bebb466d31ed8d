//! Callouts and foreign functions.

use std::time::Duration;

use bytes::Bytes;
use sandgate_abi::{LogLevel, Status, pairs};
use sandgate_http::{HeaderMap, HeaderMapKind};
use sandgate_vm::{OutgoingHttp, Output};

use crate::limits::Limit;
use crate::vm::state::VmState;
use crate::{HttpCall, StreamMap};

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
    admit(state)?;
    if callouts.propagates_trace_context() {
        add_trace_context(state, &mut headers);
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

/// Lets no more callouts be under way than the limit says.
pub(super) fn admit(state: &VmState) -> Result<(), Status> {
    if state.callouts.len() < state.limits.callouts { Ok(()) } else { Err(state.breach(Limit::Callouts)) }
}

/// Gives a request the trace context of the stream for which it is sent, unless the guest has.
pub(super) fn add_trace_context(state: &VmState, headers: &mut HeaderMap) {
    let Some(stream) = state.acting().and_then(|context| context.as_stream()?.stream()) else { return };
    let Some(request) = stream.map(StreamMap::RequestHeaders) else { return };
    if headers.contains(b"traceparent") {
        return;
    }
    for name in [b"traceparent".as_slice(), b"tracestate"] {
        for value in request.get_all(name) {
            headers.append(name, value);
        }
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
