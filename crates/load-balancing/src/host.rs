//! An upstream host.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use sandgate_config::model::{Endpoint, EndpointHealthCheck, HealthStatus, MetadataCriteria};

use crate::monitor::NoMonitor;
use crate::{HealthCheckMonitor, HealthFlags, HostStats, OutlierMonitor};

/// Where a host is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locality {
    /// Such as a country.
    pub region: String,
    /// Within the region.
    pub zone: String,
    /// Within the zone.
    pub sub_zone: String,
}

/// An upstream host: one object in the process, shared by all threads and by successive host sets, so that its health
/// and its numbers outlive changes around it. Where a control plane changes what it says of a host, there is another version of it, which
/// shares all that was found out ([`Host::is`]).
#[derive(Debug)]
pub struct Host {
    address: Address,
    /// What hashing and host rewriting go by: the configured host name, else the name that was resolved; may be empty.
    pub hostname: Arc<str>,
    /// At least 1.
    pub weight: u32,
    /// 0 is tried first.
    pub priority: u32,
    /// Where it is.
    pub locality: Arc<Locality>,
    /// The same as a serialized `envoy.config.core.v3.Locality`.
    pub locality_message: Bytes,
    /// Serialized `envoy.config.core.v3.Metadata` of the locality; empty if it has none.
    pub locality_metadata: Bytes,
    /// Serialized `envoy.config.core.v3.Metadata`; empty if it has none.
    pub metadata: Bytes,
    /// `envoy.lb: {canary: true}` in its metadata.
    pub canary: bool,
    /// `envoy.lb` of its metadata.
    pub lb_fields: Option<Arc<MetadataCriteria>>,
    /// `envoy.lb: {hash_key: …}` in its metadata: stands for the host in hash tables; empty if not set.
    pub hash_key: String,
    /// What the configuration says of its health.
    pub configured_health: HealthStatus,
    /// Where and how it is checked.
    pub health_check: EndpointHealthCheck,
    /// What is known of its health now.
    pub flags: Arc<HealthFlags>,
    /// Its numbers.
    pub stats: Arc<HostStats>,
    known: Arc<Known>,
}

/// What all versions of a host share, besides flags and numbers.
#[derive(Debug, Default)]
struct Known {
    /// Since when it is healthy, for slow start.
    healthy_since: Mutex<Option<Instant>>,
    outlier: OnceLock<Arc<dyn OutlierMonitor>>,
    health_checker: OnceLock<Arc<dyn HealthCheckMonitor>>,
}

/// Only the host of a `LOGICAL_DNS` cluster moves; all others are spared the lock.
#[derive(Debug)]
enum Address {
    Fixed(SocketAddr),
    Logical(Mutex<SocketAddr>),
}

// === impl Host ===

impl Host {
    /// A host of `endpoint` at one of its addresses; `logical` if that address may change.
    #[must_use]
    pub fn new(
        endpoint: &Endpoint,
        address: SocketAddr,
        priority: u32,
        locality: &Arc<Locality>,
        logical: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            address: if logical { Address::Logical(Mutex::new(address)) } else { Address::Fixed(address) },
            hostname: endpoint.hostname.as_str().into(),
            weight: endpoint.weight.max(1),
            priority,
            locality: Arc::clone(locality),
            locality_message: endpoint.locality.clone(),
            locality_metadata: endpoint.locality_metadata.clone(),
            metadata: endpoint.metadata.clone().unwrap_or_default(),
            canary: endpoint.lb_metadata.canary,
            lb_fields: endpoint.lb_metadata.fields.clone(),
            hash_key: endpoint.lb_metadata.hash_key.clone(),
            configured_health: endpoint.health_status,
            health_check: endpoint.health_check.clone(),
            flags: Arc::new(HealthFlags::of_status(endpoint.health_status)),
            stats: Arc::default(),
            known: Arc::default(),
        })
    }

    /// Another version of this host, as `endpoint` says it is now. What is known of it stays, and so do its host name and how it is
    /// checked; the status that is configured counts at once.
    #[must_use]
    pub fn updated(&self, endpoint: &Endpoint, priority: u32, locality: &Arc<Locality>) -> Arc<Self> {
        self.flags.set_status(endpoint.health_status);
        let new = Self::new(endpoint, self.address(), priority, locality, false);
        Arc::new(Self {
            address: Address::Fixed(self.address()),
            hostname: Arc::clone(&self.hostname),
            locality: Arc::clone(locality),
            locality_message: new.locality_message.clone(),
            locality_metadata: new.locality_metadata.clone(),
            metadata: new.metadata.clone(),
            lb_fields: new.lb_fields.clone(),
            hash_key: new.hash_key.clone(),
            health_check: self.health_check.clone(),
            flags: Arc::clone(&self.flags),
            stats: Arc::clone(&self.stats),
            known: Arc::clone(&self.known),
            weight: new.weight,
            priority,
            canary: new.canary,
            configured_health: new.configured_health,
        })
    }

    /// Whether both are versions of one host.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known)
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match &self.address {
            Address::Fixed(address) => *address,
            Address::Logical(address) => *address.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a logical host; others stay where they are.
    pub fn move_to(&self, to: SocketAddr) {
        if let Address::Logical(address) = &self.address {
            *address.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }

    /// Since when it is healthy: what an active health check said, else since it was first asked.
    pub fn healthy_since(&self, now: Instant) -> Instant {
        *self.known.healthy_since.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now)
    }

    /// An active health check has found the host healthy again, or for the first time (Envoy's `setLastHcPassTime`).
    pub fn set_healthy_since(&self, now: Instant) {
        *self.known.healthy_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Where checks connect to: its own address, unless another one or another port is configured.
    #[must_use]
    pub fn health_check_address(&self) -> SocketAddr {
        let mut address = self.health_check.address.unwrap_or_else(|| self.address());
        if let Some(port) = self.health_check.port {
            address.set_port(port);
        }
        address
    }

    /// The status in short, from flags and configuration.
    #[must_use]
    pub fn health_status(&self) -> HealthStatus {
        self.flags.status(self.configured_health)
    }

    /// Who is to be told of results. Does nothing where outlier detection is not configured.
    #[must_use]
    pub fn outlier(&self) -> &dyn OutlierMonitor {
        self.known.outlier.get().map_or(&NoMonitor, |monitor| &**monitor)
    }

    /// Sets the outlier monitor; once, before the host is used.
    pub fn set_outlier(&self, monitor: Arc<dyn OutlierMonitor>) {
        let _ = self.known.outlier.set(monitor);
    }

    /// The active health checker, as far as others may tell it something.
    #[must_use]
    pub fn health_checker(&self) -> &dyn HealthCheckMonitor {
        self.known.health_checker.get().map_or(&NoMonitor, |monitor| &**monitor)
    }

    /// Sets the health checker; once, before the host is used.
    pub fn set_health_checker(&self, monitor: Arc<dyn HealthCheckMonitor>) {
        let _ = self.known.health_checker.set(monitor);
    }
}
