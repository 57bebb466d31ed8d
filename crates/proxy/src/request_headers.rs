//! What the connection manager does to request headers before any filter sees them: Envoy's
//! `ConnectionManagerUtility::mutateRequestHeaders`, order included.

mod client_cert;
pub(crate) mod early;
mod forwarded;
mod host;
mod referer;

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use sandgate_config::model::{HttpConnectionManager, StripPort};
use sandgate_filter::TlsInfo;
use sandgate_http::HeaderMap;

use crate::hcm::UserAgent;

/// What the headers are made from besides themselves.
pub(crate) struct RequestContext<'a> {
    pub(crate) config: &'a HttpConnectionManager,
    /// The socket's peer.
    pub(crate) peer: Option<SocketAddr>,
    /// This machine's address, which stands in for a loopback peer in `x-forwarded-for`.
    pub(crate) local_ip: IpAddr,
    /// The listener's port.
    pub(crate) local_port: Option<u16>,
    /// What is told of this node.
    pub(crate) user_agent: Option<&'a UserAgent>,
    /// TLS of the client's connection.
    pub(crate) tls: Option<&'a TlsInfo>,
    /// Upgrades keep `connection` and `upgrade`.
    pub(crate) upgrade: bool,
}

impl RequestContext<'_> {
    /// Of the client's connection.
    fn scheme(&self) -> &'static [u8] {
        if self.tls.is_some() { b"https" } else { b"http" }
    }
}

/// Headers that only an internal caller may set; nobody is internal unless `internal_address_config` says so.
const EXTERNAL_MAY_NOT_SET: &[&[u8]] = &[
    b"x-envoy-retriable-status-codes",
    b"x-envoy-retriable-header-names",
    b"x-envoy-retry-on",
    b"x-envoy-retry-grpc-on",
    b"x-envoy-max-retries",
    b"x-envoy-upstream-alt-stat-name",
    b"x-envoy-upstream-rq-timeout-ms",
    b"x-envoy-upstream-rq-per-try-timeout-ms",
    b"x-envoy-upstream-rq-timeout-alt-response",
    b"x-envoy-upstream-stream-duration-ms",
    b"x-envoy-expected-rq-timeout-ms",
    b"x-envoy-force-trace",
    b"x-envoy-ip-tags",
    b"x-envoy-original-url",
    b"x-envoy-hedge-on-per-try-timeout",
];

/// The same for requests that come straight from outside (`use_remote_address`).
const EDGE_MAY_NOT_SET: &[&[u8]] = &[
    b"x-envoy-decorator-operation",
    b"x-envoy-downstream-service-cluster",
    b"x-envoy-downstream-service-node",
    b"x-envoy-original-path",
];

/// Nobody can say where the request comes from: it is answered with this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DetectionFailed(pub(crate) u16);

/// Changes `headers` as Envoy does; returns the client's address as far as it is known and trusted.
pub(crate) fn mutate(
    headers: &mut HeaderMap,
    context: &RequestContext<'_>,
) -> Result<Option<SocketAddr>, DetectionFailed> {
    let config = context.config;
    let edge = config.use_remote_address;
    let present = Present::scan(headers);
    if config.strip_port != StripPort::None || config.strip_trailing_host_dot {
        host::normalize(headers, context);
    }
    if present.hop_by_hop {
        remove_hop_by_hop(headers, context.upgrade);
    }
    if present.referer && headers.get(b"referer").is_some_and(|value| !referer::is_valid(value)) {
        headers.remove(b"referer");
    }
    let client = if edge { forwarded::append(headers, context) } else { forwarded::detect(headers, context)? };
    if !headers.contains(b"x-forwarded-proto") {
        headers.set(b"x-forwarded-proto", context.scheme());
    }
    forwarded::tell_port(headers, context);
    if let Some(scheme) = &config.scheme_to_overwrite {
        headers.set(b":scheme", scheme.as_bytes());
        headers.set(b"x-forwarded-proto", scheme.as_bytes());
    }
    let internal = client.is_internal(config);
    // From outside to the first proxy, which is us.
    let edge = edge && !internal;
    if internal {
        headers.set(b"x-envoy-internal", b"true");
    } else {
        if present.envoy {
            headers.remove(b"x-envoy-internal");
            EXTERNAL_MAY_NOT_SET.iter().for_each(|name| _ = headers.remove(name));
            if edge {
                EDGE_MAY_NOT_SET.iter().for_each(|name| _ = headers.remove(name));
            }
        }
        for name in &config.route_config.internal_only_headers {
            headers.remove(name.as_bytes());
        }
    }
    if let Some(agent) = context.user_agent {
        tell_user_agent(headers, agent);
    }
    append_via(headers, config);
    set_scheme(headers, context);
    let client = client.address.or(context.peer);
    if edge && let Some(client) = client {
        let mut text = Vec::with_capacity(40);
        // Writing to a vector does not fail.
        let _ = write!(text, "{}", client.ip());
        headers.set(b"x-envoy-external-address", &text);
    }
    if config.generate_request_id {
        let forced = edge && !config.preserve_external_request_id;
        if forced || !headers.contains(b"x-request-id") {
            headers.set(b"x-request-id", request_id().as_bytes());
        }
    }
    if present.client_certificate || context.tls.is_some() {
        client_cert::forward(headers, config, context.tls);
    }
    Ok(client)
}

fn tell_user_agent(headers: &mut HeaderMap, agent: &UserAgent) {
    headers.set(b"x-envoy-downstream-service-cluster", agent.cluster.as_bytes());
    if headers.get(b"user-agent").is_none_or(<[u8]>::is_empty) {
        headers.set(b"user-agent", agent.cluster.as_bytes());
    }
    if !agent.node.is_empty() {
        headers.set(b"x-envoy-downstream-service-node", agent.node.as_bytes());
    }
}

/// Which groups of headers are there at all: one look instead of one for each name.
#[derive(Default)]
struct Present {
    hop_by_hop: bool,
    envoy: bool,
    referer: bool,
    client_certificate: bool,
}

impl Present {
    fn scan(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        for (name, _) in headers.iter() {
            match name {
                b"connection" | b"upgrade" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"te" => {
                    present.hop_by_hop = true;
                }
                b"referer" => present.referer = true,
                b"x-forwarded-client-cert" => present.client_certificate = true,
                _ => present.envoy |= name.starts_with(b"x-envoy-"),
            }
        }
        present
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap, upgrade: bool) {
    if !upgrade {
        headers.remove(b"connection");
        headers.remove(b"upgrade");
    }
    headers.remove(b"keep-alive");
    headers.remove(b"proxy-connection");
    headers.remove(b"transfer-encoding");
    if let Some(te) = headers.get(b"te") {
        if te.split(|byte| *byte == b',').any(|item| item.trim_ascii() == b"trailers") {
            if te != b"trailers" {
                headers.set(b"te", b"trailers");
            }
        } else {
            headers.remove(b"te");
        }
    }
}

/// Says in `via` that the message came through here, if that is configured.
pub(crate) fn append_via(headers: &mut HeaderMap, config: &HttpConnectionManager) {
    if config.via.is_empty() {
        return;
    }
    let mut via = headers.get(b"via").unwrap_or_default().to_vec();
    if !via.is_empty() {
        via.extend_from_slice(b", ");
    }
    via.extend_from_slice(config.via.as_bytes());
    headers.set(b"via", &via);
}

/// `:scheme`, if the target had none: what `x-forwarded-proto` says, if it is a scheme, or else whether there is TLS.
fn set_scheme(headers: &mut HeaderMap, context: &RequestContext<'_>) {
    if let Some(scheme) = headers.get(b":scheme") {
        if scheme.iter().any(u8::is_ascii_uppercase) {
            let lower = scheme.to_ascii_lowercase();
            headers.set(b":scheme", &lower);
        }
        return;
    }
    let proto = headers.get(b"x-forwarded-proto").unwrap_or_default();
    let known = [b"https".as_slice(), b"http"].into_iter().find(|scheme| proto.eq_ignore_ascii_case(scheme));
    headers.append(b":scheme", known.unwrap_or_else(|| context.scheme()));
}

/// A random UUID, version 4. Its fourteenth digit, 4, also is Envoy's mark for "not traced".
fn request_id() -> String {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid().to_string()
}

#[cfg(test)]
mod tests;
