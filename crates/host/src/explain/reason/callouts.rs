//! HTTP and gRPC callouts.

use sandgate_abi::{Status, pairs};
use sandgate_vm::FailedCall;

use super::{Reason, argument, told};
use crate::vm::state::VmState;

pub(super) fn http_call(state: &VmState, call: &FailedCall<'_>, status: Status) -> Option<Reason> {
    match status {
        Status::BadArgument => {
            if call.number("timeout_ms").cast_signed() < 0 {
                return argument("timeout_ms", "it is negative as a signed number");
            }
            let headers: Vec<_> = pairs::decode(call.bytes("headers")).into_iter().flatten().collect();
            let missing: Vec<_> = [":method", ":path", ":authority"]
                .into_iter()
                .filter(|name| !headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name.as_bytes())))
                .collect();
            let upstream = call.bytes("upstream").escape_ascii().to_string();
            if missing.is_empty() {
                return Some((Some("upstream"), format!("there is no cluster \"{upstream}\"")));
            }
            Some((
                Some("headers"),
                format!("{} is missing, or there is no cluster \"{upstream}\"", missing.join(" and ")),
            ))
        }
        Status::InternalFailure => {
            let vm_id = &state.base.config.vm_id;
            told(&format!(
                "the request could not begin: no host can be asked, or too many are in flight (vm_id {vm_id:?})"
            ))
        }
        _ => None,
    }
}

pub(super) fn grpc_call(status: Status) -> Option<Reason> {
    match status {
        Status::ParseFailure => argument("service", "it is neither a GrpcService message nor the name of a cluster"),
        Status::BadArgument => argument("service", "there is no client for this service"),
        Status::InternalFailure => told("the request could not begin: no host can be asked, or too many are in flight"),
        _ => None,
    }
}

pub(super) fn grpc_token(call: &FailedCall<'_>, status: Status) -> Option<Reason> {
    let token = call.number("token");
    match status {
        Status::NotFound => Some((Some("token"), format!("no callout {token} is in flight"))),
        Status::BadArgument => {
            let is = match token & 3 {
                1 => "a unary gRPC call",
                2 => "a gRPC stream",
                _ => "an HTTP call",
            };
            Some((Some("token"), format!("callout {token} is {is}, for which this does not exist")))
        }
        Status::InternalFailure => told("too many bytes wait for the service to take them"),
        _ => None,
    }
}
