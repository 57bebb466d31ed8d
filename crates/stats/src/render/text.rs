//! `/stats` as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::number::{General, Shortest};
use super::{bucket_counts, quantiles};
use crate::text::Text;
use crate::{Distribution, HistogramBuckets, HistogramSample, Sample, StatsSettings};

/// Texts, counters and gauges in one list by name, then histograms.
pub(crate) fn render(
    texts: &BTreeMap<String, Text>,
    samples: &BTreeMap<String, Sample>,
    histograms: &BTreeMap<String, HistogramSample>,
    buckets: HistogramBuckets,
    settings: &StatsSettings,
) -> String {
    let mut out = String::new();
    for (name, (value, _)) in texts {
        let _ = writeln!(out, "{name}: \"{}\"", escaped(value));
    }
    for (name, sample) in samples {
        let _ = writeln!(out, "{name}: {}", sample.value);
    }
    for (name, sample) in histograms {
        let _ = write!(out, "{name}:");
        if sample.used {
            histogram(&mut out, sample, buckets, settings.buckets(name));
        } else {
            out.push_str(" No recorded values");
        }
        out.push('\n');
    }
    out
}

/// Envoy makes texts harmless in HTML in every format but JSON.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn histogram(out: &mut String, sample: &HistogramSample, buckets: HistogramBuckets, bounds: &[f64]) {
    match buckets {
        HistogramBuckets::Default | HistogramBuckets::Summary => summary(out, sample),
        HistogramBuckets::Cumulative | HistogramBuckets::Disjoint => {
            for (bound, interval, cumulative) in bucket_counts(sample, bounds, buckets == HistogramBuckets::Disjoint) {
                let bound = General { value: bound, digits: 6 };
                let _ = write!(out, " B{bound}({interval},{cumulative})");
            }
        }
        HistogramBuckets::Detailed => {
            out.push_str("\n  totals=");
            bins(out, &sample.cumulative);
            out.push_str("\n  intervals=");
            bins(out, &sample.interval);
            out.push_str("\n  summary=");
            let mut text = String::new();
            summary(&mut text, sample);
            out.push_str(text.trim_start());
        }
    }
}

/// ` P0(<interval>,<cumulative>) P25(…) …`
fn summary(out: &mut String, sample: &HistogramSample) {
    for (quantile, interval, cumulative) in quantiles(sample) {
        let _ = write!(out, " P{}({},{})", Shortest(100.0 * quantile), Shortest(interval), Shortest(cumulative));
    }
}

/// `<lower bound>,<width>:<count>, …`
fn bins(out: &mut String, distribution: &Distribution) {
    for (index, (left, width, count)) in distribution.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(out, "{comma}{},{}:{count}", Shortest(left), Shortest(width));
    }
}
