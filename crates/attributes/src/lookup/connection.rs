//! `connection.*`, `source.*`, `destination.*` and `upstream.*`

use std::borrow::Cow;
use std::net::SocketAddr;

use super::request::nanoseconds;
use super::{Found, Rest, Take, scalar};
use crate::{AttributeSource, TlsAttribute, Value, proto};

pub(super) fn connection(source: &dyn AttributeSource, name: &[u8], rest: Rest<'_, '_>, take: Take<'_>) -> Found {
    let value = match name {
        b"id" => source.connection_id().map(Value::UInt),
        b"mtls" => Some(Value::Bool(source.mtls())),
        b"requested_server_name" => Some(text(source.requested_server_name())),
        b"termination_details" => source.connection_termination_details().map(text),
        b"transport_failure_reason" => source.connection_transport_failure_reason().map(text),
        _ => tls_attribute(name).and_then(|of| source.connection_tls(of)).map(text),
    };
    scalar(value, rest, take)
}

fn text(text: String) -> Value<'static> {
    Value::String(Cow::Owned(text.into_bytes()))
}

fn tls_attribute(name: &[u8]) -> Option<TlsAttribute> {
    Some(match name {
        b"tls_version" => TlsAttribute::Version,
        b"subject_local_certificate" => TlsAttribute::SubjectLocal,
        b"subject_peer_certificate" => TlsAttribute::SubjectPeer,
        b"uri_san_local_certificate" => TlsAttribute::UriSanLocal,
        b"uri_san_peer_certificate" => TlsAttribute::UriSanPeer,
        b"dns_san_local_certificate" => TlsAttribute::DnsSanLocal,
        b"dns_san_peer_certificate" => TlsAttribute::DnsSanPeer,
        b"sha256_peer_certificate_digest" => TlsAttribute::Sha256PeerDigest,
        _ => return None,
    })
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
        b"cx_pool_ready_duration" => {
            scalar(source.upstream_pool_ready().map(|d| Value::Duration(nanoseconds(d))), rest, take)
        }
        b"locality" => match source.upstream_locality() {
            Some(locality) => proto::locality(&locality, rest, take),
            None => scalar(None, rest, take),
        },
        b"transport_failure_reason" => scalar(source.upstream_transport_failure_reason().map(text), rest, take),
        _ => scalar(tls_attribute(name).and_then(|of| source.upstream_tls(of)).map(text), rest, take),
    }
}
