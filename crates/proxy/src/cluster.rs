//! Upstream clusters: where requests may go, how a host is chosen, and the connections to it.

mod assignment;
mod breaker_stats;
mod counts;
mod dns;
mod hash_stats;
mod host_sets;
mod manager;
mod resources;
mod subsets;
mod table;
mod worker_cluster;

pub(crate) use assignment::assigned;
pub(crate) use breaker_stats::add_breaker_stats;
pub(crate) use counts::{ClusterCounts, add_cluster_counts};
pub(crate) use dns::{Resolution, Resolver};
pub(crate) use hash_stats::add_hash_stats;
pub(crate) use host_sets::host_sets;
pub(crate) use manager::ClusterManager;
pub(crate) use resources::{PriorityResources, Resource, ResourceGuard, Resources};
pub(crate) use sandgate_load_balancing::{Host, HostStats, LbContext, PrioritySet};
pub(crate) use subsets::{add_subset_stats, subset_criteria};
pub(crate) use table::{ClusterEntry, ClusterOrigin, ClusterTable, DiscoveredCluster};
pub(crate) use worker_cluster::WorkerCluster;
