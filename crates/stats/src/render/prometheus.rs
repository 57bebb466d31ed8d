//! Prometheus text: Envoy's names, tags and order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::number::General;
use super::{bucket_counts, quantiles, scale};
use crate::{HistogramBuckets, HistogramSample, Sample, StatKind, StatsSettings};

/// Metrics whose names come from outside and are shown without a prefix of ours.
const CUSTOM_NAMESPACE: &str = "wasmcustom.";

/// Series of one metric, by the order of their stats' names.
struct Family<'a, T> {
    name: String,
    series: BTreeMap<Ordered, (String, &'a T)>,
}

/// A stat's name as Envoy compares names here: part by part.
type Ordered = String;

type Families<'a, T> = BTreeMap<Ordered, Family<'a, T>>;

/// Counters, gauges, histograms; within a kind by name without tags.
pub(crate) fn render(
    samples: &BTreeMap<String, Sample>,
    histograms: &BTreeMap<String, HistogramSample>,
    buckets: HistogramBuckets,
    settings: &StatsSettings,
) -> String {
    let mut out = String::new();
    for (kind, what) in [(StatKind::Counter, "counter"), (StatKind::Gauge, "gauge")] {
        let of_kind = samples.iter().filter(|(_, sample)| sample.kind == kind);
        for family in families(of_kind, settings).into_values() {
            let _ = writeln!(out, "# TYPE {} {what}", family.name);
            for (labels, sample) in family.series.into_values() {
                let _ = writeln!(out, "{}{{{labels}}} {}", family.name, sample.value);
            }
        }
    }
    let as_summary = buckets == HistogramBuckets::Summary;
    for family in families(histograms.iter(), settings).into_values() {
        let what = if as_summary { "summary" } else { "histogram" };
        let _ = writeln!(out, "# TYPE {} {what}", family.name);
        for (stat, (labels, sample)) in &family.series {
            let comma = if labels.is_empty() { "" } else { "," };
            let labels = Labels { labels, comma };
            if as_summary {
                summary(&mut out, &family.name, &labels, sample);
            } else {
                // The name again, with its dots.
                let bounds = settings.buckets(&stat.replace('\0', "."));
                histogram(&mut out, &family.name, &labels, sample, bounds);
            }
        }
    }
    out
}

struct Labels<'a> {
    labels: &'a str,
    comma: &'static str,
}

fn histogram(out: &mut String, name: &str, labels: &Labels<'_>, sample: &HistogramSample, bounds: &[f64]) {
    let Labels { labels, comma } = labels;
    for (bound, _, count) in bucket_counts(sample, bounds, false) {
        let bound = General { value: bound, digits: 32 };
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
    }
    let count = sample.cumulative.count();
    let sum = General { value: sample.cumulative.sum() / scale(sample.unit), digits: 32 };
    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
    let _ = writeln!(out, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
}

/// Of the last interval, as in Envoy.
fn summary(out: &mut String, name: &str, labels: &Labels<'_>, sample: &HistogramSample) {
    let Labels { labels, comma } = labels;
    for (quantile, value, _) in quantiles(sample) {
        let value = General { value, digits: 32 };
        let _ = writeln!(out, "{name}{{{labels}{comma}quantile=\"{quantile}\"}} {value}");
    }
    let sum = General { value: sample.interval.sum() / scale(sample.unit), digits: 32 };
    let _ = writeln!(out, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {}", sample.interval.count());
}

fn families<'a, T>(stats: impl Iterator<Item = (&'a String, &'a T)>, settings: &StatsSettings) -> Families<'a, T> {
    let mut families = Families::new();
    for (stat, value) in stats {
        let (extracted, tags) = settings.tags().extract(stat);
        let Some(name) = metric_name(&extracted) else { continue };
        let mut labels = String::new();
        for (index, (tag, value)) in tags.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(labels, "{comma}{}=\"{}\"", sanitized(tag), escaped(value));
        }
        let family = families.entry(ordered(&extracted)).or_insert_with(|| Family { name, series: BTreeMap::new() });
        family.series.insert(ordered(stat), (labels, value));
    }
    families
}

/// A text that sorts as the name's parts do.
fn ordered(name: &str) -> Ordered {
    name.replace('.', "\0")
}

/// The metric's name; nothing if Prometheus could not read it.
fn metric_name(extracted: &str) -> Option<String> {
    let Some(custom) = extracted.strip_prefix(CUSTOM_NAMESPACE) else {
        return Some(format!("envoy_{}", sanitized(extracted)));
    };
    let begins_well = custom.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    begins_well.then(|| sanitized(custom))
}

fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}
