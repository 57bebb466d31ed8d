//! Values as read.

use crate::Distribution;

/// What kind of stat a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// What a histogram's values are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    #[default]
    Unspecified,
    /// Bytes.
    Bytes,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Fractions of one, recorded in millionths.
    Percent,
}

/// One value as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Counter or gauge.
    pub kind: StatKind,
    /// The value now, over all workers.
    pub value: u64,
    /// Whether it was ever written (`usedonly`).
    pub used: bool,
}

/// One histogram as it was at the last merge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramSample {
    /// What the values are.
    pub unit: Unit,
    /// Every value since the start.
    pub cumulative: Distribution,
    /// The values between the last two merges.
    pub interval: Distribution,
    /// Whether a value was ever merged.
    pub used: bool,
}
