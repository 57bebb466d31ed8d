//! What is known of a stream besides its messages.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use sandgate_attributes::ResponseFlags;

use smallvec::SmallVec;

use crate::filter_state::{FilterState, SharedFilterState};
use crate::tls_info::TlsInfo;
use crate::upstream_info::{AttemptedHost, ByteMeter, UpstreamInfo};

/// What all streams of a listener's filter chain have in common.
#[derive(Clone, Debug, Default)]
pub struct ListenerInfo {
    /// The listener's name; empty if it has none.
    pub name: Arc<str>,
    /// The filter chain's name; empty if it has none.
    pub filter_chain_name: Arc<str>,
    /// Envoy's `TrafficDirection`: 0 unspecified, 1 inbound, 2 outbound.
    pub direction: i64,
    /// Serialized `envoy.config.core.v3.Metadata` of the listener; empty if it has none.
    pub metadata: Bytes,
    /// Serialized `envoy.config.core.v3.Node`.
    pub node: Bytes,
}

/// What all streams of a downstream connection have in common.
#[derive(Clone, Debug, Default)]
pub struct ConnectionInfo {
    /// Unique in the process.
    pub id: u64,
    /// The client, as far as it is to be believed (`x-forwarded-for`).
    pub remote_address: Option<SocketAddr>,
    /// The peer of the socket.
    pub direct_remote_address: Option<SocketAddr>,
    /// When it was accepted.
    pub opened: Option<Instant>,
    /// Of a stream whose request tells another client than the connection: the connection's.
    pub connection_remote_address: Option<SocketAddr>,
    /// The address that the client connected to.
    pub local_address: Option<SocketAddr>,
    /// Our address of the socket.
    pub direct_local_address: Option<SocketAddr>,
    /// The listener.
    pub listener: Arc<ListenerInfo>,
    /// Its TLS; nothing for plain text.
    pub tls: Option<Arc<TlsInfo>>,
    /// When the first bytes of the TLS handshake came.
    pub handshake_start: Option<Instant>,
    /// When the TLS handshake was complete.
    pub handshake_complete: Option<Instant>,
    /// The server name that was seen before the handshake (Envoy's `tls_inspector` looks for it); empty if nothing looked.
    pub requested_server_name: Arc<str>,
    /// Why TLS failed; empty if it did not.
    pub transport_failure_reason: Arc<str>,
    /// What filters keep with the connection.
    pub filter_state: SharedFilterState,
    /// What listener filters found out: `envoy.config.core.v3.Metadata`, serialized. Empty if nothing.
    pub dynamic_metadata: Bytes,
}

/// Envoy's `StreamInfo`, as plain fields: the connection manager, the router and the filters write what each knows.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    /// `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`.
    pub protocol: Option<&'static str>,
    /// When the first byte of the request came, as the world's clock says.
    pub start_time: SystemTime,
    /// The same moment on the monotonic clock.
    pub start: Instant,
    /// When the request's headers were complete.
    pub headers_rx: Option<Instant>,
    /// When the last byte of the request came.
    pub last_downstream_rx: Option<Instant>,
    /// When the head of the response was written.
    pub first_downstream_tx: Option<Instant>,
    /// When the last byte of the response was written.
    pub last_downstream_tx: Option<Instant>,
    /// When the stream was over ([`crate::FilterManager::log`] sets it); nothing until then.
    pub end: Option<Instant>,
    /// Body bytes that came from the client (before filters).
    pub bytes_received: u64,
    /// Body bytes handed to the codec (after filters).
    pub bytes_sent: u64,
    /// Bytes of the client's connection that are this stream's.
    pub bytes: ByteMeter,
    /// The code of the response, as it went to the filters and then to the codec.
    pub response_code: Option<u32>,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub response_code_details: Option<String>,
    /// `%CONNECTION_TERMINATION_DETAILS%`: why the client's connection was closed, if this stream was the reason.
    pub connection_termination_details: Option<String>,
    /// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`: what made us close the client's connection; empty if nothing said so.
    pub local_close_reason: String,
    /// A request of the health check filter's kind, which the `not_health_check_filter` of logs leaves out.
    pub health_check: bool,
    /// Envoy's legacy flag bits, see [`crate::response_flag`].
    pub response_flags: ResponseFlags,
    /// The route's name.
    pub route_name: Option<Arc<str>>,
    /// The virtual host's name.
    pub virtual_host_name: Option<Arc<str>>,
    /// The name of the virtual cluster the request belongs to.
    pub virtual_cluster_name: Option<Arc<str>>,
    /// The name of the cluster the router chose.
    pub cluster_name: Option<Arc<str>>,
    /// The name the cluster has in stats and logs (`alt_stat_name`), if it is another one.
    pub cluster_alt_name: Option<Arc<str>>,
    /// Serialized metadata of the route; empty if it has none.
    pub route_metadata: Bytes,
    /// Serialized metadata of the virtual host; empty if it has none.
    pub virtual_host_metadata: Bytes,
    /// Serialized dynamic metadata of the stream; empty if there is none.
    pub dynamic_metadata: Bytes,
    /// The host of the last attempt, once there is a connection to it (Envoy 1.40 forgets those before).
    pub hosts_attempted: SmallVec<[AttemptedHost; 1]>,
    /// The upstream connection of the last attempt.
    pub connection_ids_attempted: SmallVec<[u64; 2]>,
    /// The upstream side.
    pub upstream: UpstreamInfo,
    /// What filters keep with the stream, and behind it what they keep with its connection.
    pub filter_state: FilterState,
}

// === impl StreamInfo ===

impl StreamInfo {
    /// What is known when a request begins.
    #[must_use]
    pub fn new(protocol: Option<&'static str>, start_time: SystemTime, start: Instant) -> Self {
        Self {
            protocol,
            start_time,
            start,
            headers_rx: None,
            last_downstream_rx: None,
            first_downstream_tx: None,
            last_downstream_tx: None,
            end: None,
            bytes_received: 0,
            bytes_sent: 0,
            bytes: ByteMeter::default(),
            response_code: None,
            response_code_details: None,
            connection_termination_details: None,
            local_close_reason: String::new(),
            health_check: false,
            response_flags: ResponseFlags::default(),
            route_name: None,
            virtual_host_name: None,
            virtual_cluster_name: None,
            cluster_name: None,
            cluster_alt_name: None,
            route_metadata: Bytes::new(),
            virtual_host_metadata: Bytes::new(),
            dynamic_metadata: Bytes::new(),
            hosts_attempted: SmallVec::new(),
            connection_ids_attempted: SmallVec::new(),
            upstream: UpstreamInfo::default(),
            filter_state: FilterState::default(),
        }
    }

    /// Adds flags, see [`crate::response_flag`].
    pub fn set_response_flag(&mut self, bits: u64) {
        self.response_flags.0 |= bits;
    }

    /// Whether any of the flags is set.
    #[must_use]
    pub fn has_response_flag(&self, bits: u64) -> bool {
        self.response_flags.0 & bits != 0
    }

    /// From the first byte to the end, once the stream is over.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(self.start))
    }
}

// === impl ConnectionInfo ===

impl ConnectionInfo {
    /// The client of the connection, whatever a request says of it.
    #[must_use]
    pub fn source_address(&self) -> Option<SocketAddr> {
        self.connection_remote_address.or(self.remote_address)
    }

    /// The same, to share among the connection's streams.
    #[must_use]
    pub fn shared(self) -> Rc<Self> {
        Rc::new(self)
    }
}
