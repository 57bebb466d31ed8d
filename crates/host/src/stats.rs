//! What the host counts and what plugins measure, as an operator sees it.

use sandgate_stats::Distribution;

/// A value of a stat.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stat {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(u64),
    /// A distribution: everything since the start.
    Histogram(Distribution),
}
