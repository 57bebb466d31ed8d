//! What was wrong with a hostcall, in words. Read after the call has failed, so that calls themselves need not know.

mod buffers;
mod callouts;
mod maps;
mod properties;
mod shared;

use sandgate_abi::Status;
use sandgate_vm::{Answer, CallFault, FailedCall};

use crate::vm::context::Context;
use crate::vm::state::VmState;

/// The argument at fault, and the reason.
type Reason = (Option<&'static str>, String);

/// Why the call failed, as far as that can be seen now.
pub(super) fn reason(state: &VmState, call: &FailedCall<'_>) -> CallFault {
    let status = match call.answer {
        Answer::Status(status) => status,
        Answer::Errno(errno) => return CallFault { argument: None, reason: of_wasi(errno).to_owned() },
    };
    let name = call.function.strip_prefix("proxy_").unwrap_or(call.function);
    let known = match name {
        "get_header_map_size"
        | "get_header_map_pairs"
        | "get_header_map_value"
        | "set_header_map_pairs"
        | "add_header_map_value"
        | "replace_header_map_value"
        | "remove_header_map_value" => maps::map(state, call, name, status),
        "get_buffer_bytes" | "get_buffer_status" | "set_buffer_bytes" => buffers::buffer(state, call, name, status),
        "get_property" | "set_property" => properties::property(state, call, name, status),
        "http_call" => callouts::http_call(state, call, status),
        "grpc_call" | "grpc_stream" => callouts::grpc_call(status),
        "grpc_send" | "grpc_close" | "grpc_cancel" => callouts::grpc_token(call, status),
        "envoy_resolve_dns" if status == Status::InternalFailure => {
            told("there is no resolver, or too many callouts are in flight")
        }
        "get_shared_data" | "set_shared_data" => shared::shared_data(call, status),
        "register_shared_queue" | "resolve_shared_queue" | "enqueue_shared_queue" | "dequeue_shared_queue" => {
            shared::queue(call, status)
        }
        "define_metric" | "increment_metric" | "record_metric" | "get_metric" => shared::metric(call, name, status),
        "set_effective_context" => {
            Some((Some("context"), format!("no context {} is alive in this VM", call.number("context"))))
        }
        "set_tick_period_milliseconds" => told("there is no root context whose timer it could be"),
        "done" => told("nothing waits for it: it counts after proxy_on_done has answered false, once"),
        "continue_stream" if status == Status::Unimplemented => {
            argument("stream", "the upstream's side of a connection cannot be continued, in Envoy neither")
        }
        "call_foreign_function" if status == Status::NotFound => {
            let name = call.bytes("name").escape_ascii().to_string();
            Some((Some("name"), format!("there is no foreign function \"{name}\"")))
        }
        "call_foreign_function" => {
            argument("arguments", "the foreign function refused them, or has no stream to act on")
        }
        _ => None,
    };
    let (argument, reason) = known.unwrap_or_else(|| (None, of_status(status).to_owned()));
    CallFault { argument, reason }
}

fn argument(name: &'static str, reason: &str) -> Option<Reason> {
    Some((Some(name), reason.to_owned()))
}

fn told(reason: &str) -> Option<Reason> {
    Some((None, reason.to_owned()))
}

/// Where nothing better is known.
fn of_status(status: Status) -> &'static str {
    match status {
        Status::Ok => "",
        Status::NotFound => "there is none",
        Status::BadArgument => "an argument cannot be used, or not now",
        Status::SerializationFailure => "the value has no form in bytes",
        Status::ParseFailure => "the bytes given cannot be read",
        Status::BadExpression => "the expression cannot be used",
        Status::InvalidMemoryAccess => "an argument lies outside the guest's memory",
        Status::Empty => "there is nothing in it",
        Status::CasMismatch => "it was changed meanwhile",
        Status::ResultMismatch => "the result is of another kind",
        Status::InternalFailure => "it is not allowed to this plugin, or beyond a limit",
        Status::BrokenConnection => "the connection broke",
        Status::Unimplemented => "there is no such function here",
    }
}

fn of_wasi(errno: u32) -> &'static str {
    match errno {
        8 => "a plugin has no files and sockets, only standard output (1) and standard error (2)",
        21 => "an argument lies outside the guest's memory",
        28 => "an argument is out of range",
        44 => "a plugin has no files",
        76 => "the plugin's capabilities do not allow it",
        _ => "plugins cannot do this",
    }
}

/// Why there is no HTTP stream to act on, if there is none.
fn no_stream(state: &VmState) -> Option<String> {
    no_properties(state).or_else(|| {
        let context = state.acting().filter(|context| context.as_connection().is_some())?;
        Some(format!("context {} is of a TCP connection, which has no headers and no HTTP bodies", context.id))
    })
}

/// Why there is nothing to have properties, if there is nothing.
fn no_properties(state: &VmState) -> Option<String> {
    let Some(context) = state.acting() else { return Some("no context is running".to_owned()) };
    let Context { id, .. } = &*context;
    if context.as_root().is_some() {
        return Some(format!(
            "context {id} is a root context, which has no stream: choose a stream by proxy_set_effective_context"
        ));
    }
    context.attributes().is_none().then(|| format!("the stream of context {id} is over"))
}
