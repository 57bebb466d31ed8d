//! Stats as text.

pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod prometheus;
pub(crate) mod text;

use crate::{Distribution, HistogramSample, Unit};

/// What one millionth is to a histogram of fractions.
const PERCENT_SCALE: f64 = 1_000_000.0;

/// The factor between a histogram's values and what is shown.
fn scale(unit: Unit) -> f64 {
    if unit == Unit::Percent { PERCENT_SCALE } else { 1.0 }
}

/// Quantiles of both distributions, as pairs of interval and cumulative; NaN if there are no values.
fn quantiles(sample: &HistogramSample) -> impl Iterator<Item = (f64, f64, f64)> {
    let of = |distribution: &Distribution| {
        let values = distribution.quantiles().unwrap_or([f64::NAN; 10]);
        values.map(|value| value / scale(sample.unit))
    };
    let (interval, cumulative) = (of(&sample.interval), of(&sample.cumulative));
    Distribution::QUANTILES.into_iter().zip(interval).zip(cumulative).map(|((quantile, i), c)| (quantile, i, c))
}

/// Counts to each bound: bound, interval, cumulative.
fn bucket_counts(sample: &HistogramSample, bounds: &[f64], disjoint: bool) -> Vec<(f64, u64, u64)> {
    let scale = scale(sample.unit);
    let mut before = (0, 0);
    bounds
        .iter()
        .map(|bound| {
            let to = (sample.interval.count_to(bound * scale), sample.cumulative.count_to(bound * scale));
            let shown = if disjoint { (to.0 - before.0, to.1 - before.1) } else { to };
            before = to;
            (*bound, shown.0, shown.1)
        })
        .collect()
}
