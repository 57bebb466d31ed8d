//! Asking others. A callout's answer goes to the context that made it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use sandgate_vm::{OutgoingGrpc, OutgoingHttp};

use super::{ask, ask_for, milliseconds, text};
use crate::instance::{self, Instance, fail};
use crate::map;
use crate::types::{Bytes, Status};

/// Remembers whose callout that is.
fn register(token: u32, callouts: impl FnOnce(&Instance) -> &RefCell<HashMap<u32, u32>>) -> u32 {
    let known =
        instance::with("callout", |instance| callouts(instance).borrow_mut().insert(token, instance.active.get()));
    if known.is_some() {
        fail("duplicate token_id");
    }
    token
}

/// Sends an HTTP request to a cluster. The token comes back in `on_http_call_response`.
///
/// # Errors
/// `BadArgument` for a cluster that is none or a request without its pseudo-headers, `InternalFailure`.
pub fn dispatch_http_call(
    upstream: &str,
    headers: Vec<(&str, &str)>,
    body: Option<&[u8]>,
    trailers: Vec<(&str, &str)>,
    timeout: Duration,
) -> Result<u32, Status> {
    let (headers, trailers) = (map::serialized(&headers), map::serialized(&trailers));
    let call = OutgoingHttp {
        upstream: upstream.as_bytes(),
        headers: &headers,
        body: body.unwrap_or_default(),
        trailers: &trailers,
        timeout_ms: milliseconds(timeout),
    };
    let known = [Status::BadArgument, Status::InternalFailure];
    let token = ask("dispatch_http_call", &known, |host| host.http_call(call))?;
    Ok(register(token, |instance| &instance.http_calls))
}

/// Makes a gRPC call. The token comes back in `on_grpc_call_response`.
///
/// # Errors
/// `ParseFailure` for a service that is none, `InternalFailure`.
pub fn dispatch_grpc_call(
    upstream_name: &str,
    service_name: &str,
    method_name: &str,
    initial_metadata: Vec<(&str, &[u8])>,
    message: Option<&[u8]>,
    timeout: Duration,
) -> Result<u32, Status> {
    let initial_metadata = map::serialized(&initial_metadata);
    let call = OutgoingGrpc {
        service: upstream_name.as_bytes(),
        service_name: service_name.as_bytes(),
        method: method_name.as_bytes(),
        initial_metadata: &initial_metadata,
        message: message.unwrap_or_default(),
        timeout_ms: milliseconds(timeout),
    };
    let known = [Status::ParseFailure, Status::InternalFailure];
    let token = ask("dispatch_grpc_call", &known, |host| host.grpc_call(call))?;
    Ok(register(token, |instance| &instance.grpc_calls))
}

/// Opens a gRPC stream. The token comes back in the `on_grpc_stream_` callbacks.
///
/// # Errors
/// `ParseFailure` for a service that is none, `InternalFailure`.
pub fn open_grpc_stream(
    upstream_name: &str,
    service_name: &str,
    method_name: &str,
    initial_metadata: Vec<(&str, &[u8])>,
) -> Result<u32, Status> {
    let initial_metadata = map::serialized(&initial_metadata);
    let call = OutgoingGrpc {
        service: upstream_name.as_bytes(),
        service_name: service_name.as_bytes(),
        method: method_name.as_bytes(),
        initial_metadata: &initial_metadata,
        message: b"",
        timeout_ms: 0,
    };
    let known = [Status::ParseFailure, Status::InternalFailure];
    let token = ask("open_grpc_stream", &known, |host| host.grpc_stream(call))?;
    Ok(register(token, |instance| &instance.grpc_streams))
}

/// Sends a message on a gRPC stream.
///
/// # Errors
/// `NotFound` if there is no such stream, `BadArgument`.
pub fn send_grpc_stream_message(token: u32, message: Option<&[u8]>, end_stream: bool) -> Result<(), Status> {
    ask("send_grpc_stream_message", &[Status::BadArgument, Status::NotFound], |host| {
        host.grpc_send(token, message.unwrap_or_default(), end_stream)
    })
}

/// Ends a gRPC call; its answer does not come.
///
/// # Errors
/// `NotFound` if there is no such call.
pub fn cancel_grpc_call(token_id: u32) -> Result<(), Status> {
    ask("cancel_grpc_call", &[Status::NotFound], |host| host.grpc_cancel(token_id))
}

/// Ends a gRPC stream at once.
///
/// # Errors
/// `NotFound` if there is no such stream.
pub fn cancel_grpc_stream(token_id: u32) -> Result<(), Status> {
    ask("cancel_grpc_stream", &[Status::NotFound], |host| host.grpc_cancel(token_id))
}

/// Ends the plugin's side of a gRPC stream.
///
/// # Errors
/// `NotFound` if there is no such stream.
pub fn close_grpc_stream(token_id: u32) -> Result<(), Status> {
    ask("close_grpc_stream", &[Status::NotFound], |host| host.grpc_close(token_id))
}

/// How the gRPC call ended whose callback runs, and its message.
///
/// # Errors
/// None.
pub fn get_grpc_status() -> Result<(u32, Option<String>), Status> {
    let (code, message): (u32, Option<Bytes>) = ask_for("get_grpc_status", &[], |host, out| host.get_status(out))?;
    Ok((code, message.map(text)))
}
