//! The whole configuration.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::load::Unsupported;

use super::{
    AccessLog, Cluster, DnsResolver, DynamicResources, LayeredRuntime, Listener, Origin, Secret, StatsConfig,
    StatsSink, StringMatcher, WasmLimits, WasmPluginSettings, WasmService,
};

/// Envoy's `envoy.config.bootstrap.v3.Bootstrap`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bootstrap {
    /// Who this process is.
    pub node: Node,
    /// The admin interface; without it there is none.
    pub admin: Option<Admin>,
    /// `static_resources.listeners`, in order; names are unique.
    pub listeners: Vec<Listener>,
    /// `static_resources.clusters`, in order; names are unique.
    pub clusters: Vec<Cluster>,
    /// `static_resources.secrets`, in order; of one kind no two have one name.
    pub secrets: Arc<Vec<Secret>>,
    /// `cluster_manager.local_cluster_name`: the cluster that this process is one of; requests to others stay in its zone, as far as
    /// that has endpoints for them.
    pub local_cluster_name: Option<String>,
    /// What becomes of fields that are not implemented in resources that come later.
    pub unsupported: Unsupported,
    /// `dynamic_resources`: what a control plane or files say at any time.
    pub dynamic_resources: DynamicResources,
    /// `cluster_manager.outlier_detection.event_log_path`: the file that gets a line of JSON for each ejection.
    pub outlier_event_log_path: Option<String>,
    /// The message itself, serialized: what was written, for who looks at it. Empty if nobody wrote it.
    pub serialized: Bytes,
    /// How many connections clients may have (`overload_manager` with
    /// `envoy.resource_monitors.global_downstream_max_connections`); `None`: as many as the runtime says.
    pub max_downstream_connections: Option<u64>,
    /// `layered_runtime`.
    pub layered_runtime: LayeredRuntime,
    /// `stats_flush_interval`, 5 s: how often histograms are merged and stats are sent.
    pub stats_flush_interval: Duration,
    /// Histograms are merged when somebody asks for them, and at no other time.
    pub stats_flush_on_admin: bool,
    /// `stats_config`.
    pub stats_config: StatsConfig,
    /// `stats_sinks`.
    pub stats_sinks: Vec<StatsSink>,
    /// The number that `server.version` shows.
    pub stats_server_version_override: Option<u64>,
    /// Whom plugins ask for names, and clusters that have no resolver of their own.
    pub dns_resolver: Option<DnsResolver>,
    /// Plugins that run beside the listeners (`bootstrap_extensions`), in order.
    pub services: Vec<WasmService>,
    /// What plugins may take, where it is not the default (`bootstrap_extensions`).
    pub wasm_limits: WasmLimits,
    /// What is ours about single plugins (`bootstrap_extensions`): the first that fits a plugin holds.
    pub wasm_plugins: Vec<WasmPluginSettings>,
}

/// Envoy's `envoy.config.core.v3.Node`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// From the configuration, else from `--service-node`.
    pub id: String,
    /// From the configuration, else from `--service-cluster`.
    pub cluster: String,
    /// Where it is; `None` if not said.
    pub locality: Option<NodeLocality>,
    /// The message serialized, with `id` and `cluster` as above, for the attribute `xds.node` and for control planes.
    pub serialized: Bytes,
}

/// Envoy's `envoy.config.core.v3.Locality`, of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLocality {
    /// `region`.
    pub region: String,
    /// `zone`.
    pub zone: String,
    /// `sub_zone`.
    pub sub_zone: String,
}

/// Envoy's `envoy.config.bootstrap.v3.Admin`.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Which paths, with their query strings, are answered; all of them if there are none.
    pub allow_paths: Vec<StringMatcher>,
    /// What is written of requests to it (`access_log` and `access_log_path`).
    pub access_logs: Vec<AccessLog>,
    /// `ignore_global_conn_limit`, see [`Listener`](super::Listener).
    pub ignore_global_conn_limit: bool,
    /// Where it stands.
    pub origin: Origin,
}
