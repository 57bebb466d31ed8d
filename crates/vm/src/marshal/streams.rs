//! Going on, closing, answering.

use sandgate_abi::{Status, StreamType};

use super::{Outcome, bytes};
use crate::guest::Guest;
use crate::{HostCalls, LocalResponse};

pub(crate) fn proxy_continue_request<G: Guest>(guest: &mut G) -> Outcome<G> {
    Ok(guest.state().host.continue_stream(StreamType::Request)?)
}

pub(crate) fn proxy_continue_response<G: Guest>(guest: &mut G) -> Outcome<G> {
    Ok(guest.state().host.continue_stream(StreamType::Response)?)
}

pub(crate) fn proxy_clear_route_cache<G: Guest>(guest: &mut G) -> Outcome<G> {
    Ok(guest.state().host.clear_route_cache()?)
}

pub(crate) fn proxy_continue_stream<G: Guest>(guest: &mut G, stream: u32) -> Outcome<G> {
    let stream = StreamType::from_u32(stream).ok_or(Status::BadArgument)?;
    Ok(guest.state().host.continue_stream(stream)?)
}

pub(crate) fn proxy_close_stream<G: Guest>(guest: &mut G, stream: u32) -> Outcome<G> {
    let stream = StreamType::from_u32(stream).ok_or(Status::BadArgument)?;
    Ok(guest.state().host.close_stream(stream)?)
}

#[expect(clippy::too_many_arguments, reason = "the ABI's function")]
pub(crate) fn proxy_send_local_response<G: Guest>(
    guest: &mut G,
    status_code: u32,
    details: u32,
    details_len: u32,
    body: u32,
    body_len: u32,
    headers: u32,
    headers_len: u32,
    grpc_status: u32,
) -> Outcome<G> {
    let (memory, state) = guest.split();
    let response = LocalResponse {
        status_code,
        details: bytes(memory, details, details_len)?,
        body: bytes(memory, body, body_len)?,
        headers: bytes(memory, headers, headers_len)?,
        grpc_status,
    };
    Ok(state.host.send_local_response(response)?)
}
