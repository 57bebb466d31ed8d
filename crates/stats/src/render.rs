//! `/stats` as text and JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regex::Regex;

use crate::{Distribution, HistogramSample, Sample, StatsStore};

/// How `/stats` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatsFormat {
    /// `name: value` lines.
    #[default]
    Text,
    /// Envoy's JSON, without histograms.
    Json,
}

/// The query of `/stats`.
#[derive(Debug, Default)]
pub struct StatsQuery {
    format: StatsFormat,
    filter: Option<Regex>,
    used_only: bool,
}

/// Why a query of `/stats` is refused; the text is Envoy's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatsQueryError {
    /// An unknown or not yet supported format.
    #[error("usage: /stats?format=(json|text)\n")]
    Format,
    /// Not a regular expression.
    #[error("Invalid re2 regex")]
    Filter,
}

impl StatsQuery {
    /// Reads the query's parameters.
    ///
    /// # Errors
    /// An unknown format, or a filter that is not a regular expression.
    pub fn parse<'a>(parameters: impl Iterator<Item = (&'a str, String)>) -> Result<Self, StatsQueryError> {
        let mut query = Self::default();
        for (name, value) in parameters {
            match name {
                "usedonly" => query.used_only = true,
                "filter" if !value.is_empty() => {
                    query.filter = Some(Regex::new(&value).map_err(|_| StatsQueryError::Filter)?);
                }
                "format" => {
                    query.format = match &*value {
                        "json" => StatsFormat::Json,
                        "text" => StatsFormat::Text,
                        _ => return Err(StatsQueryError::Format),
                    };
                }
                _ => {}
            }
        }
        Ok(query)
    }

    /// The format asked for.
    #[must_use]
    pub fn format(&self) -> StatsFormat {
        self.format
    }

    fn wants(&self, name: &str, used: bool) -> bool {
        (used || !self.used_only) && self.filter.as_ref().is_none_or(|filter| filter.is_match(name))
    }

    /// The stats that the query names.
    #[must_use]
    pub fn render(&self, store: &StatsStore) -> String {
        let mut all = store.snapshot();
        all.retain(|name, sample| self.wants(name, sample.used));
        match self.format {
            StatsFormat::Text => {
                let mut histograms = store.histograms();
                histograms.retain(|name, sample| self.wants(name, sample.used));
                text(&all) + &histogram_text(&histograms)
            }
            StatsFormat::Json => json(&all),
        }
    }
}

fn text(all: &BTreeMap<String, Sample>) -> String {
    all.iter().fold(String::new(), |mut out, (name, sample)| {
        let _ = writeln!(out, "{name}: {}", sample.value);
        out
    })
}

fn json(all: &BTreeMap<String, Sample>) -> String {
    let stats: Vec<_> =
        all.iter().map(|(name, sample)| serde_json::json!({ "name": name, "value": sample.value })).collect();
    serde_json::json!({ "stats": stats }).to_string()
}

/// `name: P0(<interval>,<cumulative>) P25(…) …`
fn histogram_text(all: &BTreeMap<String, HistogramSample>) -> String {
    all.iter().fold(String::new(), |mut out, (name, sample)| {
        let _ = write!(out, "{name}:");
        if sample.used {
            let interval = sample.interval.quantiles().unwrap_or([f64::NAN; 10]);
            let cumulative = sample.cumulative.quantiles().unwrap_or([f64::NAN; 10]);
            for ((quantile, interval), cumulative) in Distribution::QUANTILES.iter().zip(interval).zip(cumulative) {
                let (interval, cumulative) = (number(interval), number(cumulative));
                let _ = write!(out, " P{}({interval},{cumulative})", 100.0 * quantile);
            }
        } else {
            out.push_str(" No recorded values");
        }
        out.push('\n');
        out
    })
}

/// A number as Envoy prints it.
fn number(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { value.to_string() }
}
