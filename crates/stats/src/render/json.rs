//! `/stats` as JSON, written by hand: no library prints numbers as Envoy does.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::number::Json;
use super::{bucket_counts, quantiles};
use crate::text::Text;
use crate::{Distribution, HistogramBuckets, HistogramSample, Sample, StatsSettings};

type Histograms = BTreeMap<String, HistogramSample>;

/// `{"stats":[…]}`: a name and a value each; the last element has all histograms, if there are any.
pub(crate) fn render(
    texts: &BTreeMap<String, Text>,
    samples: &BTreeMap<String, Sample>,
    histograms: &Histograms,
    buckets: HistogramBuckets,
    settings: &StatsSettings,
) -> String {
    let texts =
        texts.iter().map(|(name, (value, _))| format!("{{\"name\":{},\"value\":{}}}", quoted(name), quoted(value)));
    let values =
        samples.iter().map(|(name, sample)| format!("{{\"name\":{},\"value\":{}}}", quoted(name), sample.value));
    let histograms = (!histograms.is_empty()).then(|| {
        let all = match buckets {
            HistogramBuckets::Default | HistogramBuckets::Summary => summaries(histograms),
            HistogramBuckets::Detailed => details(histograms),
            HistogramBuckets::Cumulative => counts(histograms, false, settings),
            HistogramBuckets::Disjoint => counts(histograms, true, settings),
        };
        format!("{{\"histograms\":{all}}}")
    });
    format!("{{\"stats\":{}}}", list(texts.chain(values).chain(histograms)))
}

fn list(items: impl Iterator<Item = impl Display>) -> String {
    let mut out = "[".to_owned();
    for (index, item) in items.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, "{comma}{item}");
    }
    out.push(']');
    out
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

fn percents() -> String {
    list(Distribution::QUANTILES.iter().map(|quantile| Json(100.0 * quantile)))
}

fn pairs(sample: &HistogramSample) -> String {
    list(quantiles(sample).map(|(_, interval, cumulative)| {
        format!("{{\"cumulative\":{},\"interval\":{}}}", Json(cumulative), Json(interval))
    }))
}

fn summaries(histograms: &Histograms) -> String {
    let each =
        histograms.iter().map(|(name, sample)| format!("{{\"name\":{},\"values\":{}}}", quoted(name), pairs(sample)));
    format!("{{\"supported_quantiles\":{},\"computed_quantiles\":{}}}", percents(), list(each))
}

fn details(histograms: &Histograms) -> String {
    let bins = |distribution: &Distribution| {
        list(distribution.iter().map(|(left, width, count)| {
            format!("{{\"lower_bound\":{},\"width\":{},\"count\":{count}}}", Json(left), Json(width))
        }))
    };
    let each = histograms.iter().map(|(name, sample)| {
        format!(
            "{{\"name\":{},\"totals\":{},\"intervals\":{},\"percentiles\":{}}}",
            quoted(name),
            bins(&sample.cumulative),
            bins(&sample.interval),
            pairs(sample)
        )
    });
    format!("{{\"supported_percentiles\":{},\"details\":{}}}", percents(), list(each))
}

fn counts(histograms: &Histograms, disjoint: bool, settings: &StatsSettings) -> String {
    list(histograms.iter().map(|(name, sample)| {
        let buckets = bucket_counts(sample, settings.buckets(name), disjoint).into_iter();
        let buckets = buckets.map(|(bound, interval, cumulative)| {
            format!("{{\"upper_bound\":{},\"interval\":{interval},\"cumulative\":{cumulative}}}", Json(bound))
        });
        format!("{{\"name\":{},\"buckets\":{}}}", quoted(name), list(buckets))
    }))
}
