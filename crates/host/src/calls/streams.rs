//! What moves a stream: continue, close, local response. All of it waits until no guest is running.

use std::rc::Rc;

use sandgate_abi::{Status, StreamType, pairs};
use sandgate_http::{Direction, LocalReply};
use sandgate_vm::LocalResponse;

use crate::vm::action::Action;
use crate::vm::context::{Context, Phase};
use crate::vm::state::VmState;

pub(super) fn resume(state: &VmState, stream: StreamType) -> Result<(), Status> {
    let direction = match stream {
        StreamType::Request => Direction::Request,
        StreamType::Response => Direction::Response,
        StreamType::Downstream => {
            if let Some(context) = open_connection(state) {
                state.later(Action::ContinueReading(context));
            }
            return Ok(());
        }
        // As in Envoy.
        StreamType::Upstream => return Err(Status::Unimplemented),
    };
    let Some(context) = state.acting() else { return Ok(()) };
    let Some(stream_state) = context.as_stream() else { return Ok(()) };
    stream_state.forbid_request();
    if stream_state.phase.get() == Phase::Open {
        state.later(Action::Resume(context, direction));
    }
    Ok(())
}

pub(super) fn close(state: &VmState, stream: StreamType) {
    let details = match stream {
        StreamType::Request | StreamType::Response => return close_stream(state),
        StreamType::Downstream => "wasm_downstream_close",
        StreamType::Upstream => "wasm_upstream_close",
    };
    // Either side's is the same connection (as in Envoy).
    if let Some(context) = open_connection(state) {
        state.later(Action::CloseConnection(context, details));
    }
}

/// The acting context, if it is one of a connection that is not over.
fn open_connection(state: &VmState) -> Option<Rc<Context>> {
    state.acting().filter(|context| context.as_connection().is_some_and(|c| c.phase.get() == Phase::Open))
}

fn close_stream(state: &VmState) {
    // After the callbacks of a living stream there is nothing to close; Envoy crashes here.
    if let Some(context) = state.acting()
        && context.as_stream().is_some_and(|s| s.phase.get() == Phase::Open)
    {
        state.later(Action::Close(context));
    }
}

/// Answers the acting stream, if it is one; the running callback's own stream stops in any case (as in Envoy).
pub(super) fn reply(state: &VmState, response: LocalResponse<'_>) {
    state.stop.set(true);
    let Some(context) = state.acting() else { return };
    if context.as_stream().is_none_or(|s| s.phase.get() != Phase::Open) {
        return;
    }
    // A later reply is another one for the stream, which knows whether it still can answer.
    let headers = pairs::decode(response.headers).into_iter().flatten();
    let reply = LocalReply {
        status: response.status_code,
        body: response.body.to_vec(),
        headers: headers.map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        grpc_status: Some(response.grpc_status).filter(|status| *status <= 16),
        details: details(response.details),
    };
    state.later(Action::Reply(context, Box::new(reply)));
}

pub(super) fn clear_route_cache(state: &VmState) {
    if let Some(context) = state.acting()
        && let Some(stream) = context.as_stream().and_then(|s| s.stream())
    {
        stream.clear_route_cache();
    }
}

/// White space would break access logs into the wrong columns.
fn details(details: &[u8]) -> String {
    let text = String::from_utf8_lossy(details);
    text.chars().map(|c| if c.is_ascii_whitespace() || c == '\u{b}' { '_' } else { c }).collect()
}
