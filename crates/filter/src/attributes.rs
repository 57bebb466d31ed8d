//! The stream as a source of attributes.

use std::cell::Ref;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandgate_attributes::{AttributeSource, MetadataOf, ResponseFlags};
use sandgate_http::{Direction, HeaderMap};

use crate::Stream;

impl AttributeSource for Stream {
    fn request_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.headers(Direction::Request)
    }

    fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.headers(Direction::Response)
    }

    fn response_trailers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.trailers(Direction::Response)
    }

    fn protocol(&self) -> Option<&'static str> {
        self.info().protocol
    }

    fn start_time(&self) -> Option<SystemTime> {
        Some(self.info().start_time)
    }

    fn duration(&self) -> Option<Duration> {
        self.info().duration()
    }

    fn backend_latency(&self) -> Option<Duration> {
        let info = self.info();
        Some(info.upstream.last_rx?.saturating_duration_since(info.upstream.first_tx?))
    }

    fn request_body_bytes(&self) -> u64 {
        self.info().bytes_received
    }

    fn response_body_bytes(&self) -> u64 {
        self.info().bytes_sent
    }

    fn response_code(&self) -> Option<u32> {
        self.info().response_code
    }

    fn response_code_details(&self) -> Option<String> {
        self.info().response_code_details.clone()
    }

    fn response_flags(&self) -> ResponseFlags {
        self.info().response_flags
    }

    fn downstream_remote_address(&self) -> Option<SocketAddr> {
        self.connection().remote_address
    }

    fn downstream_local_address(&self) -> Option<SocketAddr> {
        self.connection().local_address
    }

    fn connection_id(&self) -> Option<u64> {
        Some(self.connection().id)
    }

    fn upstream_address(&self) -> Option<SocketAddr> {
        self.info().upstream.address
    }

    fn upstream_local_address(&self) -> Option<SocketAddr> {
        self.info().upstream.local_address
    }

    fn upstream_request_attempt_count(&self) -> u32 {
        self.info().upstream.attempt_count
    }

    fn cluster_name(&self) -> Option<String> {
        self.info().cluster_name.as_deref().map(str::to_owned)
    }

    fn cluster_endpoints(&self) -> Option<u64> {
        self.info().upstream.cluster_endpoints
    }

    fn route_name(&self) -> Option<String> {
        self.info().route_name.as_deref().map(str::to_owned)
    }

    fn virtual_host_name(&self) -> Option<String> {
        self.info().virtual_host_name.as_deref().map(str::to_owned)
    }

    fn filter_chain_name(&self) -> Option<String> {
        Some(self.connection().listener.filter_chain_name.as_ref().to_owned())
    }

    fn listener_direction(&self) -> Option<i64> {
        Some(self.connection().listener.direction)
    }

    fn node(&self) -> Option<Bytes> {
        Some(self.connection().listener.node.clone())
    }

    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        let info = self.info();
        Some(match of {
            MetadataOf::Dynamic => info.dynamic_metadata.clone(),
            MetadataOf::Listener => self.connection().listener.metadata.clone(),
            MetadataOf::Route => info.route_name.as_ref().map(|_| info.route_metadata.clone())?,
            MetadataOf::VirtualHost => info.virtual_host_name.as_ref().map(|_| info.virtual_host_metadata.clone())?,
            MetadataOf::Cluster => info.cluster_name.as_ref().map(|_| info.upstream.cluster_metadata.clone())?,
            MetadataOf::UpstreamHost => info.upstream.address.map(|_| info.upstream.host_metadata.clone())?,
        })
    }

    fn filter_state(&self, key: &[u8]) -> Option<Bytes> {
        self.info().filter_state(key).cloned()
    }
}
