//! A connection as a source of attributes, where no HTTP is looked for in it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, MetadataOf, ResponseFlags, StateValue, TlsAttribute};

use crate::attributes::tls;
use crate::{ConnectionInfo, StreamInfo};

/// What network filters, access control and logs know of a connection. There are no headers, no response and no route.
#[derive(Clone, Debug)]
pub struct ConnectionAttributes {
    connection: Rc<ConnectionInfo>,
    info: Rc<RefCell<StreamInfo>>,
}

impl ConnectionAttributes {
    /// Of a connection, and what is told of it as a stream of bytes.
    #[must_use]
    pub fn new(connection: Rc<ConnectionInfo>, info: Rc<RefCell<StreamInfo>>) -> Self {
        Self { connection, info }
    }
}

impl AttributeSource for ConnectionAttributes {
    fn protocol(&self) -> Option<&'static str> {
        self.info.borrow().protocol
    }

    fn start_time(&self) -> Option<SystemTime> {
        Some(self.info.borrow().start_time)
    }

    fn duration(&self) -> Option<Duration> {
        self.info.borrow().duration()
    }

    fn request_body_bytes(&self) -> u64 {
        self.info.borrow().bytes_received
    }

    fn response_body_bytes(&self) -> u64 {
        self.info.borrow().bytes_sent
    }

    fn response_flags(&self) -> ResponseFlags {
        self.info.borrow().response_flags
    }

    fn downstream_remote_address(&self) -> Option<SocketAddr> {
        self.connection.remote_address
    }

    fn downstream_local_address(&self) -> Option<SocketAddr> {
        self.connection.local_address
    }

    fn connection_id(&self) -> Option<u64> {
        Some(self.connection.id)
    }

    fn mtls(&self) -> bool {
        self.connection.tls.as_ref().is_some_and(|tls| tls.peer().is_some())
    }

    fn requested_server_name(&self) -> String {
        self.connection.requested_server_name.as_ref().to_owned()
    }

    fn connection_tls(&self, of: TlsAttribute) -> Option<String> {
        tls(self.connection.tls.as_deref()?, of)
    }

    fn connection_termination_details(&self) -> Option<String> {
        self.info.borrow().connection_termination_details.clone()
    }

    fn connection_transport_failure_reason(&self) -> Option<String> {
        Some(self.connection.transport_failure_reason.as_ref().to_owned()).filter(|reason| !reason.is_empty())
    }

    fn upstream_tls(&self, of: TlsAttribute) -> Option<String> {
        tls(self.info.borrow().upstream.tls.as_deref()?, of)
    }

    /// There from the beginning, where bytes are passed on (observed in Envoy 1.40).
    fn upstream_transport_failure_reason(&self) -> Option<String> {
        let upstream = &self.info.borrow().upstream;
        upstream.wanted.then(|| upstream.transport_failure_reason.clone())
    }

    fn upstream_address(&self) -> Option<SocketAddr> {
        self.info.borrow().upstream.address
    }

    fn upstream_local_address(&self) -> Option<SocketAddr> {
        self.info.borrow().upstream.local_address
    }

    fn upstream_request_attempt_count(&self) -> u32 {
        self.info.borrow().upstream.attempt_count
    }

    fn upstream_pool_ready(&self) -> Option<Duration> {
        self.info.borrow().upstream.pool_ready
    }

    fn upstream_locality(&self) -> Option<Bytes> {
        let info = self.info.borrow();
        info.upstream.address.map(|_| info.upstream.locality.clone())
    }

    fn has_upstream_filter_state(&self) -> bool {
        self.info.borrow().upstream.connection_id.is_some()
    }

    fn cluster_name(&self) -> Option<String> {
        self.info.borrow().cluster_name.as_deref().map(str::to_owned)
    }

    fn cluster_endpoints(&self) -> Option<u64> {
        self.info.borrow().upstream.cluster_endpoints
    }

    fn filter_chain_name(&self) -> Option<String> {
        Some(self.connection.listener.filter_chain_name.as_ref().to_owned())
    }

    fn listener_direction(&self) -> Option<i64> {
        Some(self.connection.listener.direction)
    }

    fn node(&self) -> Option<Bytes> {
        Some(self.connection.listener.node.clone())
    }

    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        let info = self.info.borrow();
        match of {
            MetadataOf::Dynamic => Some(info.dynamic_metadata.clone()),
            MetadataOf::Listener => Some(self.connection.listener.metadata.clone()),
            MetadataOf::Cluster => info.cluster_name.as_ref().map(|_| info.upstream.cluster_metadata.clone()),
            MetadataOf::UpstreamHost => info.upstream.address.map(|_| info.upstream.host_metadata.clone()),
            MetadataOf::UpstreamLocality => info.upstream.address.map(|_| info.upstream.locality_metadata.clone()),
            MetadataOf::Route | MetadataOf::VirtualHost => None,
        }
    }

    fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
        self.connection.filter_state.borrow().get(key)
    }
}
