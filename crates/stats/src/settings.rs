//! What a configuration says of stats (`stats_config`).

use std::fmt;

use crate::TagProducer;

/// Whether a rule is about the stat of this name.
pub type NameMatcher = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Tags, which stats there are, and the bounds of histograms.
#[derive(Default)]
pub struct StatsSettings {
    /// How tags come from names.
    pub tags: TagProducer,
    /// Stats that are not kept.
    pub rejects: Option<NameMatcher>,
    /// Bounds of the histograms that a rule is about, in ascending order; the first rule counts.
    pub histogram_buckets: Vec<(NameMatcher, Vec<f64>)>,
}

/// Envoy's bounds, for milliseconds.
const DEFAULT_BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

impl StatsSettings {
    /// How tags come from names.
    #[must_use]
    pub fn tags(&self) -> &TagProducer {
        &self.tags
    }

    /// Whether the stat of this name is not kept.
    #[must_use]
    pub fn rejects(&self, name: &str) -> bool {
        self.rejects.as_ref().is_some_and(|rejects| rejects(name))
    }

    /// The bounds of the histogram of this name.
    #[must_use]
    pub fn buckets(&self, name: &str) -> &[f64] {
        let rule = self.histogram_buckets.iter().find(|(matches, _)| matches(name));
        rule.map_or(&DEFAULT_BUCKETS, |(_, bounds)| bounds)
    }
}

impl fmt::Debug for StatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsSettings").field("tags", &self.tags).finish_non_exhaustive()
    }
}
