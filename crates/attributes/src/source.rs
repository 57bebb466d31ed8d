//! Where attribute values come from: what an embedder knows of a stream.

use std::cell::Ref;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandgate_http::HeaderMap;

use crate::StateValue;

/// Envoy's response flags as the bit mask that `response.flags` shows (`StreamInfo::ResponseFlag`, legacy bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseFlags(pub u64);

/// What is known of a stream. Every method may answer "nothing": the attribute is then absent.
///
/// Header maps here are the stream's; whether a plugin may see them in its present phase is the caller's business.
#[expect(unused_variables, reason = "defaults answer nothing")]
pub trait AttributeSource {
    /// Request headers, if the stream has them.
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        None
    }
    /// Response headers.
    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        None
    }
    /// Response trailers.
    fn response_trailers(&self) -> Option<Ref<'_, HeaderMap>> {
        None
    }
    /// `HTTP/1.1` and the like.
    fn protocol(&self) -> Option<&'static str> {
        None
    }
    /// When the first byte came.
    fn start_time(&self) -> Option<SystemTime> {
        None
    }
    /// From the first byte to the end; only when the request is complete.
    fn duration(&self) -> Option<Duration> {
        None
    }
    /// Last upstream byte received minus first upstream byte sent.
    fn backend_latency(&self) -> Option<Duration> {
        None
    }
    /// Body bytes received from the client.
    fn request_body_bytes(&self) -> u64 {
        0
    }
    /// Body bytes sent to the client.
    fn response_body_bytes(&self) -> u64 {
        0
    }
    /// The response code, when known.
    fn response_code(&self) -> Option<u32> {
        None
    }
    /// `%RESPONSE_CODE_DETAILS%`.
    fn response_code_details(&self) -> Option<String> {
        None
    }
    /// `%RESPONSE_FLAGS%` as bits.
    fn response_flags(&self) -> ResponseFlags {
        ResponseFlags::default()
    }
    /// The client's address.
    fn downstream_remote_address(&self) -> Option<SocketAddr> {
        None
    }
    /// Our address that the client reached.
    fn downstream_local_address(&self) -> Option<SocketAddr> {
        None
    }
    /// The id of the downstream connection.
    fn connection_id(&self) -> Option<u64> {
        None
    }
    /// Whether the client presented a certificate.
    fn mtls(&self) -> bool {
        false
    }
    /// The server name that a listener filter saw; empty if none did.
    fn requested_server_name(&self) -> String {
        String::new()
    }
    /// Of the client's connection, if it is TLS.
    fn connection_tls(&self, of: TlsAttribute) -> Option<String> {
        None
    }
    /// Why the client's connection was closed, if the stream was the reason.
    fn connection_termination_details(&self) -> Option<String> {
        None
    }
    /// Why TLS with the client failed.
    fn connection_transport_failure_reason(&self) -> Option<String> {
        None
    }
    /// Of the upstream's connection, if it is TLS.
    fn upstream_tls(&self, of: TlsAttribute) -> Option<String> {
        None
    }
    /// Why the upstream's connection failed; empty if it did not, nothing if the request was for no upstream.
    fn upstream_transport_failure_reason(&self) -> Option<String> {
        None
    }
    /// The chosen upstream host.
    fn upstream_address(&self) -> Option<SocketAddr> {
        None
    }
    /// Our address towards the upstream.
    fn upstream_local_address(&self) -> Option<SocketAddr> {
        None
    }
    /// How often the request was tried.
    fn upstream_request_attempt_count(&self) -> u32 {
        0
    }
    /// How long the request waited for a connection.
    fn upstream_pool_ready(&self) -> Option<Duration> {
        None
    }
    /// Where the chosen upstream host is: serialized `envoy.config.core.v3.Locality`.
    fn upstream_locality(&self) -> Option<Bytes> {
        None
    }
    /// Whether there is filter state of an upstream connection, which may be empty.
    fn has_upstream_filter_state(&self) -> bool {
        false
    }
    /// The upstream cluster's name.
    fn cluster_name(&self) -> Option<String> {
        None
    }
    /// How many hosts that cluster has.
    fn cluster_endpoints(&self) -> Option<u64> {
        None
    }
    /// The route's name.
    fn route_name(&self) -> Option<String> {
        None
    }
    /// The virtual host's name.
    fn virtual_host_name(&self) -> Option<String> {
        None
    }
    /// The filter chain's name; empty if it has none.
    fn filter_chain_name(&self) -> Option<String> {
        None
    }
    /// 0 unspecified, 1 inbound, 2 outbound.
    fn listener_direction(&self) -> Option<i64> {
        None
    }
    /// Serialized `envoy.config.core.v3.Node`.
    fn node(&self) -> Option<Bytes> {
        None
    }
    /// Serialized `envoy.config.core.v3.Metadata` of the named object.
    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        None
    }
    /// A filter state object (`wasm.<key>` is what plugins set).
    fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
        None
    }
}

/// What of a TLS connection. Subject alternative names are the first of their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TlsAttribute {
    Version,
    SubjectLocal,
    SubjectPeer,
    UriSanLocal,
    UriSanPeer,
    DnsSanLocal,
    DnsSanPeer,
    Sha256PeerDigest,
}

/// Whose metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MetadataOf {
    Dynamic,
    Listener,
    Route,
    VirtualHost,
    Cluster,
    UpstreamHost,
    UpstreamLocality,
}
