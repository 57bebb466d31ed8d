//! What the host counts and what plugins measure, as an operator sees it.

/// A value of a stat.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stat {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(u64),
    /// A distribution.
    Histogram(HistogramSnapshot),
}

/// A distribution at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramSnapshot {
    /// How many samples.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// Upper bounds and how many samples are at or below each.
    pub buckets: Vec<(f64, u64)>,
}
