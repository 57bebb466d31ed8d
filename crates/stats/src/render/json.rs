//! `/stats` as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{bucket_counts, quantiles};
use crate::{Distribution, HistogramBuckets, HistogramSample, Sample, StatsSettings};

/// `{"stats": […]}`: a name and a value each; the last element has all histograms, if there are any.
pub(crate) fn render(
    samples: &BTreeMap<String, Sample>,
    histograms: &BTreeMap<String, HistogramSample>,
    buckets: HistogramBuckets,
    settings: &StatsSettings,
) -> String {
    let mut stats: Vec<_> =
        samples.iter().map(|(name, sample)| json!({ "name": name, "value": sample.value })).collect();
    if !histograms.is_empty() {
        let all = match buckets {
            HistogramBuckets::Default | HistogramBuckets::Summary => summaries(histograms),
            HistogramBuckets::Detailed => details(histograms),
            HistogramBuckets::Cumulative => counts(histograms, false, settings),
            HistogramBuckets::Disjoint => counts(histograms, true, settings),
        };
        stats.push(json!({ "histograms": all }));
    }
    json!({ "stats": stats }).to_string()
}

/// A number as Envoy's JSON has it: whole ones without a fraction, and null for none.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the comparison is about that")]
    let whole = value as u64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "equal means that nothing was lost")]
    let exact = whole as f64 == value;
    if exact { whole.into() } else { value.into() }
}

fn percents() -> Vec<Value> {
    Distribution::QUANTILES.iter().map(|quantile| number(100.0 * quantile)).collect()
}

fn pairs(sample: &HistogramSample) -> Vec<Value> {
    quantiles(sample)
        .map(|(_, interval, cumulative)| json!({ "cumulative": number(cumulative), "interval": number(interval) }))
        .collect()
}

fn summaries(histograms: &BTreeMap<String, HistogramSample>) -> Value {
    let each: Vec<_> =
        histograms.iter().map(|(name, sample)| json!({ "name": name, "values": pairs(sample) })).collect();
    json!({ "supported_quantiles": percents(), "computed_quantiles": each })
}

fn details(histograms: &BTreeMap<String, HistogramSample>) -> Value {
    let bins = |distribution: &Distribution| -> Vec<Value> {
        let bin = |(left, width, count)| json!({ "lower_bound": number(left), "width": number(width), "count": count });
        distribution.iter().map(bin).collect()
    };
    let each = histograms.iter().map(|(name, sample)| {
        json!({
            "name": name,
            "totals": bins(&sample.cumulative),
            "intervals": bins(&sample.interval),
            "percentiles": pairs(sample),
        })
    });
    json!({ "supported_percentiles": percents(), "details": each.collect::<Vec<_>>() })
}

fn counts(histograms: &BTreeMap<String, HistogramSample>, disjoint: bool, settings: &StatsSettings) -> Value {
    let each = histograms.iter().map(|(name, sample)| {
        let buckets: Vec<_> = bucket_counts(sample, settings.buckets(name), disjoint)
            .into_iter()
            .map(|(bound, interval, cumulative)| {
                json!({ "upper_bound": number(bound), "interval": interval, "cumulative": cumulative })
            })
            .collect();
        json!({ "name": name, "buckets": buckets })
    });
    each.collect()
}
