//! `connection.*`, `source.*`, `destination.*` and `upstream.*`

use std::net::SocketAddr;

use super::{Found, Rest, Take, scalar};
use crate::{AttributeSource, Value};

pub(super) fn connection(source: &dyn AttributeSource, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let value = match name {
        b"id" => source.connection_id().map(Value::UInt),
        // Without TLS there is no client certificate and no server name.
        b"mtls" => Some(Value::Bool(false)),
        b"requested_server_name" => Some(Value::str("")),
        _ => None,
    };
    scalar(value, rest, take)
}

pub(super) fn peer(address: Option<SocketAddr>, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let text;
    let value = match (name, address) {
        (b"address", Some(address)) => {
            text = address.to_string();
            Some(Value::str(&text))
        }
        (b"port", Some(address)) => Some(Value::Int(i64::from(address.port()))),
        _ => None,
    };
    scalar(value, rest, take)
}

pub(super) fn upstream(source: &dyn AttributeSource, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    match name {
        b"address" | b"port" => peer(source.upstream_address(), name, rest, take),
        b"local_address" => peer(source.upstream_local_address(), b"address", rest, take),
        b"request_attempt_count" => {
            scalar(Some(Value::UInt(u64::from(source.upstream_request_attempt_count()))), rest, take)
        }
        b"num_endpoints" => scalar(source.cluster_endpoints().map(Value::UInt), rest, take),
        _ => scalar(None, rest, take),
    }
}
