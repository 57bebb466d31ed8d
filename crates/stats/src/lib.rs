//! Counters, gauges and histograms by Envoy's names: one writer each, read by anybody.
//!
//! A worker makes its own block of values for every scope it uses and registers it in the [`StatsStore`]; it alone writes
//! it, with plain relaxed stores, so that counting costs no locked instruction and a scrape asks no worker. Blocks of one
//! name are added up when read. What a block has counted whose writer is gone counts as long as another of its name has a
//! writer; then the name is gone ([`StatsStore::settle`]).
#![forbid(unsafe_code)]

mod block;
mod blocks;
mod codes;
mod distribution;
mod histogram;
mod names;
mod query;
mod render;
mod sample;
mod sampling;
mod settings;
mod store;
mod tags;
mod text;

pub use block::{Counter, Gauge};
pub use codes::{ClusterCodeStats, CodeStats};
pub use distribution::Distribution;
pub use histogram::{Histogram, SharedHistogram, milliseconds};
pub use names::EcdsStats;
pub use names::FilesystemStats;
pub use names::RdsStats;
pub use names::TcpProxyStats;
pub use names::scope_name;
pub use names::{CdsStats, ClusterStats, TransportSocketMatchStats};
pub use names::{ConfiguredListenerStats, ListenerStats, ThreadListenerStats};
pub use names::{
    ConnectionLimitStats, RbacPolicyAllowedStats, RbacPolicyDeniedStats, RbacPolicyShadowAllowedStats,
    RbacPolicyShadowDeniedStats, RbacShadowStats, RbacStats,
};
pub use names::{ControlPlaneStats, SubscriptionStats};
pub use names::{HealthCheckStats, OutlierDetectionStats};
pub use names::{
    Http1CodecStats, Http2CodecStats, HttpListenerStats, HttpStats, RouterStats, TracingStats, VirtualClusterStats,
};
pub use names::{
    HttpInspectorStats, LegacyProxyProtocolStats, ProxyProtocolStats, ProxyProtocolVersionStats, TlsInspectorStats,
};
pub use names::{SdsStats, SslNames, SslSocketFactoryStats, SslStats};
pub use query::{HistogramBuckets, StatsFormat, StatsQuery, StatsQueryError};
pub use sample::{HistogramSample, Sample, StatKind, Unit};
pub use sampling::{FlushedStat, SinkMessage, SinkSender};
pub use settings::{NameMatcher, StatsSettings};
pub use store::{HistogramSource, StatsSource, StatsStore};
pub use tags::{TagError, TagProducer, TagSpecifier};
pub use text::TextReadout;

#[cfg(test)]
mod tests;
