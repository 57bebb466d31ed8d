//! HTTP and gRPC callouts.

use super::{Failure, Outcome, bytes, put_u32, returning};
use crate::guest::Guest;
use crate::{HostCalls, OutgoingGrpc, OutgoingHttp};

/// The token is 0 until the call has been made, as in Envoy.
#[expect(clippy::too_many_arguments, reason = "the ABI's function")]
pub(crate) fn proxy_http_call<G: Guest>(
    guest: &mut G,
    upstream: u32,
    upstream_len: u32,
    headers: u32,
    headers_len: u32,
    body: u32,
    body_len: u32,
    trailers: u32,
    trailers_len: u32,
    timeout_ms: u32,
    ret_token: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    for (pointer, length) in
        [(upstream, upstream_len), (headers, headers_len), (body, body_len), (trailers, trailers_len)]
    {
        bytes(memory, pointer, length)?;
    }
    put_u32(memory, ret_token, 0)?;
    let call = OutgoingHttp {
        upstream: bytes(memory, upstream, upstream_len)?,
        headers: bytes(memory, headers, headers_len)?,
        body: bytes(memory, body, body_len)?,
        trailers: bytes(memory, trailers, trailers_len)?,
        timeout_ms,
    };
    let token = state.host.http_call(call)?;
    Ok(put_u32(memory, ret_token, token)?)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's function")]
pub(crate) fn proxy_grpc_call<G: Guest>(
    guest: &mut G,
    service: u32,
    service_len: u32,
    service_name: u32,
    service_name_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
    message: u32,
    message_len: u32,
    timeout_ms: u32,
    ret_token: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let call = OutgoingGrpc {
        service: bytes(memory, service, service_len)?,
        service_name: bytes(memory, service_name, service_name_len)?,
        method: bytes(memory, method, method_len)?,
        initial_metadata: bytes(memory, metadata, metadata_len)?,
        message: bytes(memory, message, message_len)?,
        timeout_ms,
    };
    let token = state.host.grpc_call(call)?;
    known_to_guest(memory, &state.host, ret_token, token)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's function")]
pub(crate) fn proxy_grpc_stream<G: Guest>(
    guest: &mut G,
    service: u32,
    service_len: u32,
    service_name: u32,
    service_name_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
    ret_token: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let call = OutgoingGrpc {
        service: bytes(memory, service, service_len)?,
        service_name: bytes(memory, service_name, service_name_len)?,
        method: bytes(memory, method, method_len)?,
        initial_metadata: bytes(memory, metadata, metadata_len)?,
        message: &[],
        timeout_ms: 0,
    };
    let token = state.host.grpc_stream(call)?;
    known_to_guest(memory, &state.host, ret_token, token)
}

/// Tells the guest the token of a gRPC callout; one of which it cannot be told is not made.
fn known_to_guest<H: HostCalls, E>(memory: &mut [u8], host: &H, ret_token: u32, token: u32) -> Result<(), Failure<E>> {
    put_u32(memory, ret_token, token).map_err(|outside| {
        // It lives, since it was made just now.
        let _ = host.grpc_cancel(token);
        outside.into()
    })
}

pub(crate) fn proxy_grpc_send<G: Guest>(
    guest: &mut G,
    token: u32,
    message: u32,
    message_len: u32,
    end_stream: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    Ok(state.host.grpc_send(token, bytes(memory, message, message_len)?, end_stream != 0)?)
}

pub(crate) fn proxy_grpc_cancel<G: Guest>(guest: &mut G, token: u32) -> Outcome<G> {
    Ok(guest.state().host.grpc_cancel(token)?)
}

pub(crate) fn proxy_grpc_close<G: Guest>(guest: &mut G, token: u32) -> Outcome<G> {
    Ok(guest.state().host.grpc_close(token)?)
}

pub(crate) fn proxy_get_status<G: Guest>(guest: &mut G, ret_code: u32, ret_ptr: u32, ret_len: u32) -> Outcome<G> {
    let code = returning(guest, ret_ptr, ret_len, |_, host, out| host.get_status(out))?;
    Ok(put_u32(guest.split().0, ret_code, code)?)
}
