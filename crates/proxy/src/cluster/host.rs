//! The hosts of a cluster at one moment.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model::{Cluster, Discovery, Endpoint, EndpointAddress, HealthStatus};

/// An upstream host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// At least 1.
    pub(crate) weight: u32,
    pub(crate) health: HealthStatus,
    /// Serialized `envoy.config.core.v3.Metadata`; empty if it has none.
    pub(crate) metadata: Bytes,
}

/// An immutable set of hosts, made on the main thread and pushed to the workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostSet {
    pub(crate) hosts: Vec<Arc<Host>>,
}

impl Host {
    /// A host of `endpoint` at one of its addresses.
    pub(crate) fn new(endpoint: &Endpoint, address: SocketAddr) -> Self {
        Self {
            address,
            weight: endpoint.weight.max(1),
            health: endpoint.health_status,
            metadata: endpoint.metadata.clone().unwrap_or_default(),
        }
    }
}

impl HostSet {
    /// The hosts of `cluster`, `addresses` giving what the name of an endpoint resolved to. An address that is there
    /// already is not added again, as in Envoy.
    pub(crate) fn build(cluster: &Cluster, addresses: impl Fn(&str, u16) -> Vec<SocketAddr>) -> Self {
        let logical = matches!(cluster.discovery, Discovery::LogicalDns(_));
        let mut set = Self::default();
        for endpoint in cluster.localities.iter().flat_map(|locality| &locality.endpoints) {
            let mut found = match &endpoint.address {
                EndpointAddress::Ip(address) => vec![*address],
                EndpointAddress::Name { host, port } => addresses(host, *port),
            };
            if logical {
                found.truncate(1);
            }
            for address in found {
                if !set.hosts.iter().any(|host| host.address == address) {
                    set.hosts.push(Arc::new(Host::new(endpoint, address)));
                }
            }
        }
        set
    }

    /// Hosts that take requests before all others.
    pub(crate) fn healthy(&self) -> usize {
        self.hosts.iter().filter(|host| host.health == HealthStatus::Healthy).count()
    }
}
