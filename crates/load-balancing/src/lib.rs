//! The hosts of a cluster, their health, and how one of them is chosen for a request. No I/O.
#![forbid(unsafe_code)]

mod health;
mod host;
mod host_set;
mod host_stats;
mod monitor;

pub use health::{Health, HealthFlag, HealthFlags};
pub use host::{Host, Locality};
pub use host_set::{HostSet, LocalityHosts, Membership, PrioritySet};
pub use host_stats::HostStats;
pub use monitor::{HealthCheckMonitor, OutlierMonitor, OutlierResult};
