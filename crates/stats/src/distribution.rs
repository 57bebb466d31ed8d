//! Values in bins, and what can be said of them: quantiles, sums, counts below a bound.

/// Counts of values in Envoy's log-linear bins. All figures are those that Envoy's library gives (observed in Envoy 1.40).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// By bin, without empty ones.
    bins: Vec<(u16, u64)>,
}

/// Bins of one power of ten; power 0 has ten (0 to 9).
const BINS_OF_DECADE: u16 = 90;

impl Distribution {
    /// The quantiles that Envoy shows.
    pub const QUANTILES: [f64; 10] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

    /// The number of a bin.
    pub(crate) fn bin(decade: usize, index: usize) -> u16 {
        let (decade, index) = (u16::try_from(decade).unwrap_or_default(), u16::try_from(index).unwrap_or_default());
        decade.checked_sub(1).map_or(index, |decade| 10 + decade * BINS_OF_DECADE + index)
    }

    /// Bins in ascending order.
    pub(crate) fn from_bins(bins: Vec<(u16, u64)>) -> Self {
        Self { bins }
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.iter().fold(0, |sum, (_, count)| sum.wrapping_add(*count))
    }

    /// Adds another's values.
    pub fn add(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            match self.bins.binary_search_by_key(bin, |(bin, _)| *bin) {
                Ok(at) => {
                    if let Some((_, mine)) = self.bins.get_mut(at) {
                        *mine = mine.wrapping_add(*count);
                    }
                }
                Err(at) => self.bins.insert(at, (*bin, *count)),
            }
        }
    }

    /// What this has that `earlier`, an older reading of the same, had not.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bin: &u16| {
            let at = earlier.bins.binary_search_by_key(bin, |(bin, _)| *bin);
            at.ok().and_then(|at| earlier.bins.get(at)).map_or(0, |(_, count)| *count)
        };
        let bins = self.bins.iter().map(|(bin, count)| (*bin, count.saturating_sub(before(bin))));
        Self { bins: bins.filter(|(_, count)| *count != 0).collect() }
    }

    /// Each bin's lower bound and width, and its count.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        self.bins.iter().map(|(bin, count)| {
            let (left, width) = bounds(*bin);
            (left, width, *count)
        })
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The values at [`QUANTILES`](Self::QUANTILES); nothing if there are no values.
    ///
    /// The values of a bin lie evenly between its bounds, not on them; a quantile is the smallest value that at least that
    /// part of all values does not exceed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not reached")]
    pub fn quantiles(&self) -> Option<[f64; 10]> {
        let total = self.count() as f64;
        if total == 0.0 {
            return None;
        }
        Some(Self::QUANTILES.map(|quantile| {
            let rank = (quantile * total).ceil().max(1.0);
            let (mut below, mut at) = (0.0, 0.0);
            for (left, width, count) in self.iter() {
                let count = count as f64;
                at = left + width * (rank - below).min(count) / (count + 1.0);
                below += count;
                if below >= rank {
                    break;
                }
            }
            at
        }))
    }

    /// About the sum of all values: each counts as the harmonic mean of its bin's bounds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are not reached")]
    pub fn sum(&self) -> f64 {
        self.iter()
            .map(|(left, width, count)| {
                let right = left + width;
                let middle = if right > 0.0 { left + left / (left + right) * width } else { 0.0 };
                middle * count as f64
            })
            .fold(0.0, |sum, part| sum + part)
    }

    /// How many values lie in bins that begin at `bound` or below.
    #[must_use]
    pub fn count_to(&self, bound: f64) -> u64 {
        self.iter().take_while(|(left, _, _)| *left <= bound).fold(0, |sum, (_, _, count)| sum.wrapping_add(count))
    }
}

/// The lower bound and the width of a bin.
fn bounds(bin: u16) -> (f64, f64) {
    match bin {
        0 => (0.0, 0.0),
        1..10 => (f64::from(bin), 0.1),
        _ => {
            let (decade, index) = ((bin - 10) / BINS_OF_DECADE, (bin - 10) % BINS_OF_DECADE);
            let width = 10_f64.powi(i32::from(decade));
            (f64::from(index + 10) * width, width)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn of(bins: &[(u16, u64)]) -> Distribution {
        Distribution::from_bins(bins.to_vec())
    }

    #[test]
    fn quantiles_are_envoys() {
        assert_eq!(Distribution::default().quantiles(), None);
        // One value 1: the middle of its bin.
        assert_eq!(of(&[(1, 1)]).quantiles().unwrap(), [1.05; 10]);
        assert_eq!(of(&[(0, 3)]).quantiles().unwrap(), [0.0; 10]);
        // As shown by Envoy 1.40 for 0 once, 41 once and 43 four times.
        let shown = [0.0, 41.5, 43.2, 43.6, 43.8, 43.8, 43.8, 43.8, 43.8, 43.8];
        assert_eq!(of(&[(0, 1), (41, 1), (43, 4)]).quantiles().unwrap(), shown);
    }

    #[test]
    fn sums_are_envoys() {
        assert_eq!(of(&[(0, 1), (43, 2)]).sum(), 86.988_505_747_126_44);
        assert_eq!(of(&[(0, 1), (41, 1), (43, 4)]).sum(), 215.470_987_397_867_33);
    }

    #[test]
    fn a_bin_counts_from_its_lower_bound() {
        let all = of(&[(0, 1), (1, 2), (43, 4)]);
        assert_eq!([0.0, 0.5, 1.0, 42.9, 43.0, 44.0].map(|bound| all.count_to(bound)), [1, 1, 3, 3, 7, 7]);
    }

    #[test]
    fn readings_are_subtracted_and_added() {
        let (old, new) = (of(&[(1, 2), (50, 1)]), of(&[(0, 1), (1, 2), (50, 4)]));
        let between = new.since(&old);
        assert_eq!(between, of(&[(0, 1), (50, 3)]));
        let mut sum = old;
        sum.add(&between);
        assert_eq!(sum, new);
    }
}
