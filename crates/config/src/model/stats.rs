//! How stats are named, which there are, and where they are sent.

use std::net::SocketAddr;

use sandgate_stats::TagSpecifier;

use super::{Origin, StringMatcher, WasmPlugin};

/// Envoy's `envoy.config.metrics.v3.StatsConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsConfig {
    /// `stats_tags`. Together with the fields below they have been tried: a producer of tags can be made of them.
    pub tags: Vec<TagSpecifier>,
    /// Envoy's own tags; true by default.
    pub use_all_default_tags: bool,
    /// A tag of the configuration replaces Envoy's of that name.
    pub allow_default_tag_overrides: bool,
    /// Which stats there are.
    pub matcher: StatsMatcher,
    /// Bounds of histograms; the first entry that matches a name counts.
    pub histogram_buckets: Vec<HistogramBucketSettings>,
}

/// Envoy's `envoy.config.metrics.v3.StatsMatcher`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum StatsMatcher {
    /// All.
    #[default]
    All,
    /// None.
    RejectAll,
    /// All but these.
    Exclusion(Vec<StringMatcher>),
    /// Only these.
    Inclusion(Vec<StringMatcher>),
}

/// Envoy's `envoy.config.metrics.v3.HistogramBucketSettings`.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramBucketSettings {
    /// The histograms, by name.
    pub matcher: StringMatcher,
    /// Upper bounds in ascending order.
    pub buckets: Vec<f64>,
}

/// Envoy's `envoy.config.metrics.v3.StatsSink`, of those that there are.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsSink {
    /// Where stats go and how they are written.
    pub kind: StatsSinkKind,
    /// What names begin with, before a dot; `envoy` by default. Plugins are shown names without it.
    pub prefix: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Where stats go and how they are written.
#[derive(Clone, Debug, PartialEq)]
pub enum StatsSinkKind {
    /// StatsD, one datagram for each value.
    StatsdUdp(SocketAddr),
    /// StatsD over a connection to a host of this cluster, which exists.
    StatsdTcp(String),
    /// StatsD with tags.
    DogStatsd {
        /// Where datagrams go.
        address: SocketAddr,
        /// The most bytes of a datagram that has several values; nothing for one value each.
        max_bytes_per_datagram: Option<u64>,
    },
    /// `envoy.extensions.stat_sinks.wasm.v3.Wasm`: a plugin on the main thread is shown them (`envoy_on_stats_update`).
    Wasm(Box<WasmPlugin>),
}

// === impl StatsConfig ===

impl Default for StatsConfig {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            use_all_default_tags: true,
            allow_default_tag_overrides: false,
            matcher: StatsMatcher::All,
            histogram_buckets: Vec::new(),
        }
    }
}
