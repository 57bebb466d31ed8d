//! What is known of the upstream's side of a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::tls_info::TlsInfo;

/// Bytes of a connection that belong to one stream, as Envoy's `BytesMeter` counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteMeter {
    /// All bytes that came.
    pub wire_received: u64,
    /// All bytes that were written.
    pub wire_sent: u64,
    /// Those of them that are heads and trailers.
    pub header_received: u64,
    /// Those of them that are heads and trailers.
    pub header_sent: u64,
}

impl std::ops::Add for ByteMeter {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wire_received: self.wire_received + other.wire_received,
            wire_sent: self.wire_sent + other.wire_sent,
            header_received: self.header_received + other.header_received,
            header_sent: self.header_sent + other.header_sent,
        }
    }
}

/// A host that a request was tried on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptedHost {
    /// Its address.
    pub address: SocketAddr,
    /// Its name; empty if it has none.
    pub name: Arc<str>,
}

/// What the router knows of the upstream side; times are of the last attempt.
#[derive(Clone, Debug, Default)]
pub struct UpstreamInfo {
    /// Of a connection of bytes: they are for an upstream, which may yet be looked for. Of a request nothing is said here.
    pub wanted: bool,
    /// The chosen host.
    pub address: Option<SocketAddr>,
    /// The host's name (`endpoint.hostname`, or the name it was resolved from); empty if it has none.
    pub host_name: Option<Arc<str>>,
    /// The peer of the connection, once there is one.
    pub remote_address: Option<SocketAddr>,
    /// Our address towards it.
    pub local_address: Option<SocketAddr>,
    /// `HTTP/1.1` and the like, once there is a connection.
    pub protocol: Option<&'static str>,
    /// The connection's number, unique in the process.
    pub connection_id: Option<u64>,
    /// Requests made, the first included.
    pub attempt_count: u32,
    /// How many hosts the cluster has (its `membership_total`).
    pub cluster_endpoints: Option<u64>,
    /// When the connection was begun that carries the request.
    pub connect_start: Option<Instant>,
    /// When it stood.
    pub connect_end: Option<Instant>,
    /// When the TLS handshake was complete.
    pub handshake_complete: Option<Instant>,
    /// The connection's TLS, once there is a connection; nothing for plain text.
    pub tls: Option<Arc<TlsInfo>>,
    /// How long the request waited for a connection.
    pub pool_ready: Option<Duration>,
    /// When the first byte of the request was written.
    pub first_tx: Option<Instant>,
    /// When the last byte of the request was written.
    pub last_tx: Option<Instant>,
    /// When the first byte of the response came.
    pub first_rx: Option<Instant>,
    /// When the first byte of the response's body came.
    pub first_body_rx: Option<Instant>,
    /// When the last byte of the response came.
    pub last_rx: Option<Instant>,
    /// Bytes of the upstream connection that are this stream's.
    pub bytes: ByteMeter,
    /// Serialized metadata of the host; empty if it has none.
    pub host_metadata: Bytes,
    /// Where the host is: serialized `envoy.config.core.v3.Locality`; empty if that is not said.
    pub locality: Bytes,
    /// Serialized metadata of that place; empty if it has none.
    pub locality_metadata: Bytes,
    /// Serialized metadata of the cluster; empty if it has none.
    pub cluster_metadata: Bytes,
    /// Why the connection failed, if the transport said so.
    pub transport_failure_reason: String,
}
