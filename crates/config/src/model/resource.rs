//! Resources that are no part of a configuration's text.

use std::time::Duration;

use super::{DiscoveredKind, LocalityEndpoints, Origin, RuntimeValue};

/// Envoy's `envoy.config.endpoint.v3.ClusterLoadAssignment`: the endpoints of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterLoadAssignment {
    /// The cluster's name, or the `service_name` of its `eds_cluster_config`. Not empty.
    pub cluster_name: String,
    /// The endpoints by locality, in order. Addresses are IP addresses.
    pub localities: Vec<LocalityEndpoints>,
    /// `policy.overprovisioning_factor`, see [`LoadBalancing`](super::LoadBalancing). 140 by default.
    pub overprovisioning_factor: u32,
    /// `policy.weighted_priority_health`, see [`LoadBalancing`](super::LoadBalancing).
    pub weighted_priority_health: bool,
    /// `policy.endpoint_stale_after`: without another assignment for so long, the endpoints go; `None`: they never do.
    pub endpoint_stale_after: Option<Duration>,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.config.core.v3.TypedExtensionConfig`, of a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtensionConfig {
    /// The filter's name.
    pub name: String,
    /// The full name of its configuration's message, without a host. Whether the filter may have that type, its
    /// [`ExtensionDiscovery`](super::ExtensionDiscovery) says.
    pub type_url: String,
    /// What it does.
    pub kind: DiscoveredKind,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.service.runtime.v3.Runtime`: the values of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeResource {
    /// The layer's `rtds_layer.name`.
    pub name: String,
    /// Keys with their structure written with dots, in the order of the keys.
    pub values: Vec<(String, RuntimeValue)>,
}
