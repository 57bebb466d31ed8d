//! Recording values into log-linear bins.
//!
//! Envoy's histograms (circllhist) keep two significant decimal digits of a value: 0, each of 1 to 9, and ninety bins for
//! every further power of ten. Memory is taken with the first value: 320 bytes for the table of powers and 720 bytes for
//! each power of ten that has a value.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Distribution;
use crate::sampling::Tap;

/// The powers of ten that a `u64` has.
const DECADES: usize = 20;
const BINS_OF_DECADE: usize = 90;

type Decade = Box<[AtomicU64; BINS_OF_DECADE]>;

/// How many values fell into each bin.
#[derive(Debug, Default)]
pub(crate) struct Bins {
    decades: OnceLock<Box<[OnceLock<Decade>; DECADES]>>,
    /// Somebody wants every value.
    tap: Option<Box<Tap>>,
}

/// Takes values. They are shown after the next merge ([`StatsStore::merge_histograms`](crate::StatsStore::merge_histograms)).
#[derive(Clone, Copy)]
pub struct Histogram<'a>(Option<&'a Bins>);

/// A histogram that many threads write, such as a guest's metric. It costs a locked instruction a value.
#[derive(Debug, Default)]
pub struct SharedHistogram(Bins);

/// Whole milliseconds, as histograms of times have them.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The place of a value: its power of ten, and which of that power's bins.
fn place(value: u64) -> (usize, usize) {
    // Divisors that the compiler knows cost less; most times are below ten seconds.
    let (decade, digits) = match value {
        0..10 => return (0, usize::try_from(value).unwrap_or_default()),
        10..100 => (1, value),
        100..1000 => (2, value / 10),
        1000..10_000 => (3, value / 100),
        _ => {
            let decade = value.ilog10();
            (decade as usize, value / 10_u64.pow(decade - 1))
        }
    };
    (decade, usize::try_from(digits).unwrap_or_default().saturating_sub(10))
}

// === impl Histogram ===

impl<'a> Histogram<'a> {
    pub(crate) fn new(bins: Option<&'a Bins>) -> Self {
        Self(bins)
    }

    /// Records a value: a few nanoseconds, and no memory but for the first of its power of ten.
    pub fn record(self, value: u64) {
        let Some(bins) = self.0 else { return };
        if let Some(bin) = bins.bin(value) {
            // One writer, as with counters.
            bin.store(bin.load(Relaxed).wrapping_add(1), Relaxed);
        }
        if let Some(tap) = &bins.tap {
            tap.pass(value);
        }
    }
}

// === impl SharedHistogram ===

impl SharedHistogram {
    /// Records a value.
    pub fn record(&self, value: u64) {
        if let Some(bin) = self.0.bin(value) {
            bin.fetch_add(1, Relaxed);
        }
    }

    /// All that was recorded.
    #[must_use]
    pub fn read(&self) -> Distribution {
        self.0.read()
    }
}

// === impl Bins ===

impl Bins {
    /// Passes every value on.
    pub(crate) fn with_tap(tap: Option<Tap>) -> Self {
        Self { decades: OnceLock::new(), tap: tap.map(Box::new) }
    }

    fn bin(&self, value: u64) -> Option<&AtomicU64> {
        let (decade, index) = place(value);
        let decades = self.decades.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        let bins = decades.get(decade)?.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))));
        bins.get(index)
    }

    /// Takes over what others have recorded.
    pub(crate) fn absorb(&self, other: &Self) {
        for (decade, counts) in other.decades.get().into_iter().flat_map(|decades| decades.iter()).enumerate() {
            let Some(counts) = counts.get() else { continue };
            let decades = self.decades.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
            let own =
                decades.get(decade).map(|own| own.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0)))));
            for (own, count) in own.into_iter().flat_map(|own| own.iter()).zip(counts.iter()) {
                own.fetch_add(count.load(Relaxed), Relaxed);
            }
        }
    }

    /// All that was recorded.
    pub(crate) fn read(&self) -> Distribution {
        let mut bins = Vec::new();
        for (decade, counts) in self.decades.get().into_iter().flat_map(|decades| decades.iter()).enumerate() {
            for (index, count) in counts.get().into_iter().flat_map(|counts| counts.iter()).enumerate() {
                let count = count.load(Relaxed);
                if count != 0 {
                    bins.push((Distribution::bin(decade, index), count));
                }
            }
        }
        Distribution::from_bins(bins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_count() {
        for (value, wanted) in [
            (0, (0, 0)),
            (1, (0, 1)),
            (9, (0, 9)),
            (10, (1, 0)),
            (99, (1, 89)),
            (100, (2, 0)),
            (109, (2, 0)),
            (110, (2, 1)),
            (999, (2, 89)),
            (9999, (3, 89)),
            (10_000, (4, 0)),
            (1000, (3, 0)),
            (u64::MAX, (19, 8)),
        ] {
            assert_eq!(place(value), wanted, "{value}");
        }
    }

    #[test]
    fn memory_is_taken_when_needed() {
        let bins = Bins::default();
        assert_eq!(bins.read(), Distribution::default());
        assert!(bins.decades.get().is_none());
        for value in [5, 5, 1234, 1299] {
            Histogram::new(Some(&bins)).record(value);
        }
        let decades = bins.decades.get().map(|decades| decades.iter().filter(|decade| decade.get().is_some()).count());
        assert_eq!(decades, Some(2));
        assert_eq!(bins.read().count(), 4);
    }
}
