//! Going on, closing, answering.

use sandgate_abi::StreamType;
use sandgate_vm::LocalResponse;

use super::ask;
use crate::map;
use crate::types::{GrpcStatusCode, Status};

/// What says that a response is not gRPC's.
const NO_GRPC_STATUS: u32 = u32::MAX;

macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident: $operation:ident($stream:ident);)+) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// None.
            pub fn $name() -> Result<(), Status> {
                ask(stringify!($name), &[], |host| host.$operation(StreamType::$stream))
            }
        )+
    };
}

streams! {
    /// Goes on with what the client of a TCP stream sent.
    resume_downstream: continue_stream(Downstream);
    /// Goes on with what the server of a TCP stream sent.
    resume_upstream: continue_stream(Upstream);
    /// Goes on with the request.
    resume_http_request: continue_stream(Request);
    /// Goes on with the response.
    resume_http_response: continue_stream(Response);
    /// Closes the connection to the client.
    close_downstream: close_stream(Downstream);
    /// Closes the connection to the server.
    close_upstream: close_stream(Upstream);
    /// Resets the stream.
    reset_http_request: close_stream(Request);
    /// Resets the stream.
    reset_http_response: close_stream(Response);
}

/// Answers the request.
///
/// # Errors
/// None.
pub fn send_http_response(status_code: u32, headers: Vec<(&str, &str)>, body: Option<&[u8]>) -> Result<(), Status> {
    let headers = map::serialized(&headers);
    send(status_code, &headers, body.unwrap_or_default(), NO_GRPC_STATUS)
}

/// Answers the request with a status of gRPC.
///
/// # Errors
/// None.
pub fn send_grpc_response(
    grpc_status: GrpcStatusCode,
    grpc_status_message: Option<&str>,
    custom_metadata: Vec<(&str, &[u8])>,
) -> Result<(), Status> {
    let headers = map::serialized(&custom_metadata);
    send(200, &headers, grpc_status_message.unwrap_or_default().as_bytes(), grpc_status as u32)
}

fn send(status_code: u32, headers: &[u8], body: &[u8], grpc_status: u32) -> Result<(), Status> {
    let response = LocalResponse { status_code, details: b"", body, headers, grpc_status };
    ask("send_local_response", &[], |host| host.send_local_response(response))
}
