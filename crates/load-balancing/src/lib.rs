//! The hosts of a cluster, their health, and how one of them is chosen for a request. No I/O.
#![forbid(unsafe_code)]

mod balancer;
mod cluster_balancer;
mod context;
mod edf;
mod hashing;
mod health;
mod host;
mod host_set;
mod host_stats;
mod maglev;
mod monitor;
mod murmur;
mod priority_load;
mod ring_hash;
mod slow_start;
mod source;
mod subset;
#[cfg(test)]
mod testing;
mod turns;
mod zone;

pub use balancer::{LoadBalancer, RuntimeValues};
pub use cluster_balancer::ClusterBalancer;
pub use context::{Choice, LbContext, PriorityLoadOverride};
pub use hashing::{HashTables, TableStats};
pub use health::{Health, HealthFlag, HealthFlags};
pub use host::{Host, Locality};
pub use host_set::{AssignmentPolicy, HostSet, LocalityHosts, Membership, PrioritySet};
pub use host_stats::HostStats;
pub use monitor::{HealthCheckMonitor, OutlierMonitor, OutlierResult};
pub use priority_load::PriorityLoad;
pub use subset::{SubsetBalancer, SubsetChanges, subset_duplicates};
pub use zone::{LocalHosts, ZoneCounts};

use edf::EdfScheduler;
