//! Byte buffers.

use sandgate_abi::{BufferType, Status};
use sandgate_vm::FailedCall;

use super::{Reason, argument, no_stream};
use crate::vm::state::VmState;

pub(super) fn buffer(state: &VmState, call: &FailedCall<'_>, name: &str, status: Status) -> Option<Reason> {
    let buffer = BufferType::from_u32(call.number("buffer"))?;
    let sets = name == "set_buffer_bytes";
    match (status, buffer) {
        (Status::NotFound, BufferType::HttpCallResponseBody) => {
            argument("buffer", "the body of an answer to a callout is there in proxy_on_http_call_response alone")
        }
        (Status::NotFound, BufferType::PluginConfiguration) => argument(
            "buffer",
            "the plugin's configuration is there in proxy_on_context_create of its root context and proxy_on_configure alone",
        ),
        (Status::BadArgument, BufferType::HttpRequestBody | BufferType::HttpResponseBody) if sets => {
            if let Some(reason) = no_stream(state) {
                return Some((Some("buffer"), reason));
            }
            if call.number("start") == 0 {
                return argument("buffer", "the body is there in its own callbacks alone");
            }
            argument(
                "start",
                "bytes can be replaced from the start (0) or added behind the end, or the body is not there now",
            )
        }
        (Status::BadArgument, BufferType::DownstreamData | BufferType::UpstreamData) if sets => argument(
            "buffer",
            "a connection's data is there in its own callback, and later while that callback's stop holds it; it can be replaced from the start (0) or added behind the end",
        ),
        (Status::BadArgument, _) if sets => argument("buffer", "this buffer cannot be changed, or not now"),
        (Status::BadArgument, _) => argument("max_size", "start and max_size add up to more than 32 bits"),
        (Status::InternalFailure, _) => {
            let most = state.limits.body_bytes;
            Some((Some("value"), format!("the body would have more than {most} bytes")))
        }
        _ => None,
    }
}
