//! Which hosts are worse than the others: the mathematics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The mean of the rates of success in percent, and the rate below which a host is an outlier: the mean less `factor`
/// times the standard deviation of all (not of a sample).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    pub(crate) average: f64,
    pub(crate) ejection: f64,
}

/// The thresholds of a cluster's last interval, for who shows them.
#[derive(Debug)]
pub(crate) struct ClusterRates {
    /// Of responses: average and threshold.
    external: [AtomicU64; 2],
    /// Of connections.
    local: [AtomicU64; 2],
}

// === impl ClusterRates ===

impl ClusterRates {
    /// Of responses if `external`, else of connections.
    pub(crate) fn get(&self, external: bool) -> Threshold {
        let [average, ejection] = if external { &self.external } else { &self.local };
        let read = |value: &AtomicU64| f64::from_bits(value.load(Relaxed));
        Threshold { average: read(average), ejection: read(ejection) }
    }

    pub(super) fn set(&self, external: bool, threshold: Threshold) {
        let [average, ejection] = if external { &self.external } else { &self.local };
        average.store(threshold.average.to_bits(), Relaxed);
        ejection.store(threshold.ejection.to_bits(), Relaxed);
    }
}

impl Default for ClusterRates {
    fn default() -> Self {
        let none = || [AtomicU64::new((-1.0_f64).to_bits()), AtomicU64::new((-1.0_f64).to_bits())];
        Self { external: none(), local: none() }
    }
}

// === impl Threshold ===

impl Threshold {
    /// Shown where there were too few hosts or requests.
    pub(crate) const NONE: Self = Self { average: -1.0, ejection: -1.0 };

    /// The threshold of `rates`; `NONE` for none.
    pub(super) fn of(rates: impl ExactSizeIterator<Item = f64> + Clone, factor: f64) -> Self {
        if rates.len() == 0 {
            return Self::NONE;
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of hosts")]
        let count = rates.len() as f64;
        let average = rates.clone().sum::<f64>() / count;
        let variance = rates.map(|rate| (rate - average).powi(2)).sum::<f64>() / count;
        Self { average, ejection: average - factor * variance.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_host_among_five() {
        // The example of Envoy's documentation: a mean of 90, a deviation of 20.
        let rates = [50.0, 100.0, 100.0, 100.0, 100.0];
        assert_eq!(Threshold::of(rates.iter().copied(), 1.9), Threshold { average: 90.0, ejection: 52.0 });
        assert_eq!(Threshold::of([].iter().copied(), 1.9), Threshold::NONE);
        assert_eq!(Threshold::of([75.0].iter().copied(), 1.9), Threshold { average: 75.0, ejection: 75.0 });
    }
}
