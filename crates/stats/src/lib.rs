//! Counters, gauges and histograms by Envoy's names: one writer each, read by anybody.
//!
//! A worker makes its own block of values for every scope it uses and registers it in the [`StatsStore`]; it alone writes
//! it, with plain relaxed stores, so that counting costs no locked instruction and a scrape asks no worker. Blocks of one
//! name are added up when read, and a block whose worker is gone keeps what it counted.
#![forbid(unsafe_code)]

mod block;
mod codes;
mod distribution;
mod histogram;
mod names;
mod render;
mod sample;
mod store;

pub use block::{Counter, Gauge};
pub use codes::{ClusterCodeStats, CodeStats};
pub use distribution::Distribution;
pub use histogram::{Histogram, milliseconds};
pub use names::{CircuitBreakerStats, ClusterStats, RemainingStats, TransportSocketMatchStats};
pub use names::{ConfiguredListenerStats, ListenerStats, ThreadListenerStats};
pub use names::{Http1CodecStats, HttpListenerStats, HttpStats, RouterStats, TracingStats, VirtualClusterStats};
pub use render::{StatsFormat, StatsQuery, StatsQueryError};
pub use sample::{HistogramSample, Sample, StatKind, Unit};
pub use store::{StatsSource, StatsStore};

#[cfg(test)]
mod tests;
