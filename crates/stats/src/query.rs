//! The query of `/stats` and `/stats/prometheus`.

use std::collections::BTreeMap;

use regex::Regex;

use crate::render::{html, json, prometheus, text};
use crate::text::Text;
use crate::{HistogramSample, Sample, StatKind, StatsStore};

/// How `/stats` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatsFormat {
    /// `name: value` lines.
    #[default]
    Text,
    /// Envoy's JSON.
    Json,
    /// Prometheus text.
    Prometheus,
    /// A page for people: the text in HTML.
    Html,
}

/// What is said of histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistogramBuckets {
    /// The default: quantiles in text and JSON, buckets in Prometheus text.
    #[default]
    Default,
    /// Counts of values up to each bound.
    Cumulative,
    /// Counts of values between bounds.
    Disjoint,
    /// Every bin, and quantiles.
    Detailed,
    /// Quantiles.
    Summary,
}

/// The kinds of stats asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kinds {
    #[default]
    All,
    Counters,
    Gauges,
    Histograms,
    TextReadouts,
}

/// The query of `/stats`.
#[derive(Debug, Default)]
pub struct StatsQuery {
    format: StatsFormat,
    buckets: HistogramBuckets,
    kinds: Kinds,
    filter: Option<Regex>,
    invert_filter: bool,
    used_only: bool,
}

/// Why a query of `/stats` is refused; the text is the body of Envoy's answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatsQueryError {
    /// An unknown format.
    #[error("usage: /stats?format=(html|active-html|json|prometheus|text)\n\n")]
    Format,
    /// An unknown kind.
    #[error("invalid &type= param")]
    Kind,
    /// An unknown way to show histograms.
    #[error("usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary|prometheusnative)\n")]
    Buckets,
    /// An unknown value of `hidden`.
    #[error("usage: /stats?hidden=(include|only|exclude)\n\n")]
    Hidden,
    /// Histograms cannot be shown that way in Prometheus text.
    #[error("unsupported prometheus histogram bucket mode")]
    PrometheusBuckets,
    /// Native histograms are for another format.
    #[error("unsupported prometheusnative histogram type when not using protobuf exposition format")]
    PrometheusNative,
    /// Not a regular expression.
    #[error("Invalid re2 regex: {0}")]
    Filter(String),
}

impl StatsQuery {
    /// Reads the query's parameters; of one that is there twice the first counts.
    ///
    /// # Errors
    /// An unknown value, or a filter that is not a regular expression.
    pub fn parse<'a>(parameters: impl Iterator<Item = (&'a str, String)>) -> Result<Self, StatsQueryError> {
        let mut given = BTreeMap::new();
        for (name, value) in parameters {
            given.entry(name).or_insert(value);
        }
        let value = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
        let format = match value("format") {
            "" | "text" => StatsFormat::Text,
            "json" => StatsFormat::Json,
            "prometheus" => StatsFormat::Prometheus,
            "html" | "active-html" => StatsFormat::Html,
            _ => return Err(StatsQueryError::Format),
        };
        let filter = match value("filter") {
            "" => None,
            pattern => Some(Regex::new(pattern).map_err(|error| StatsQueryError::Filter(reason(pattern, &error)))?),
        };
        let kinds = match value("type") {
            "" | "All" => Kinds::All,
            "Counters" => Kinds::Counters,
            "Gauges" => Kinds::Gauges,
            "Histograms" => Kinds::Histograms,
            "TextReadouts" => Kinds::TextReadouts,
            _ => return Err(StatsQueryError::Kind),
        };
        let buckets = match value("histogram_buckets") {
            "" | "none" => HistogramBuckets::Default,
            "cumulative" => HistogramBuckets::Cumulative,
            "disjoint" => HistogramBuckets::Disjoint,
            "detailed" => HistogramBuckets::Detailed,
            "summary" => HistogramBuckets::Summary,
            "prometheusnative" => return Err(StatsQueryError::PrometheusNative),
            _ => return Err(StatsQueryError::Buckets),
        };
        // No stat is hidden.
        if !matches!(value("hidden"), "" | "include" | "exclude" | "only") {
            return Err(StatsQueryError::Hidden);
        }
        let query = Self {
            format,
            buckets,
            kinds: if value("hidden") == "only" { Kinds::TextReadouts } else { kinds },
            filter,
            invert_filter: given.contains_key("invert_filter"),
            used_only: given.contains_key("usedonly"),
        };
        if format == StatsFormat::Prometheus { query.prometheus() } else { Ok(query) }
    }

    /// The same on `/stats/prometheus`, where `format` and `type` do not count.
    ///
    /// # Errors
    /// Histograms are to be shown in a way that Prometheus text has not.
    pub fn prometheus(mut self) -> Result<Self, StatsQueryError> {
        if matches!(self.buckets, HistogramBuckets::Disjoint | HistogramBuckets::Detailed) {
            return Err(StatsQueryError::PrometheusBuckets);
        }
        self.format = StatsFormat::Prometheus;
        if self.kinds != Kinds::TextReadouts {
            self.kinds = Kinds::All;
        }
        Ok(self)
    }

    /// The format asked for.
    #[must_use]
    pub fn format(&self) -> StatsFormat {
        self.format
    }

    /// The stats that the query names.
    #[must_use]
    pub fn render(&self, store: &StatsStore) -> String {
        let (texts, samples) = (self.texts(store), self.samples(store));
        let histograms = self.histograms(store);
        let settings = store.settings();
        match self.format {
            StatsFormat::Text => text::render(&texts, &samples, &histograms, self.buckets, settings),
            StatsFormat::Html => html::render(&text::render(&texts, &samples, &histograms, self.buckets, settings)),
            StatsFormat::Json => json::render(&texts, &samples, &histograms, self.buckets, settings),
            StatsFormat::Prometheus => prometheus::render(&samples, &histograms, self.buckets, settings),
        }
    }

    fn texts(&self, store: &StatsStore) -> BTreeMap<String, Text> {
        if !matches!(self.kinds, Kinds::All | Kinds::TextReadouts) {
            return BTreeMap::new();
        }
        let mut texts = store.texts.read();
        texts.retain(|name, (_, used)| !store.settings().rejects(name) && self.wants(name, *used));
        texts
    }

    fn samples(&self, store: &StatsStore) -> BTreeMap<String, Sample> {
        if matches!(self.kinds, Kinds::Histograms | Kinds::TextReadouts) {
            return BTreeMap::new();
        }
        let mut samples = store.snapshot();
        samples.retain(|name, sample| {
            let kind = match sample.kind {
                StatKind::Counter => self.kinds != Kinds::Gauges,
                StatKind::Gauge => self.kinds != Kinds::Counters,
            };
            kind && self.wants(name, sample.used)
        });
        samples
    }

    fn histograms(&self, store: &StatsStore) -> BTreeMap<String, HistogramSample> {
        if !matches!(self.kinds, Kinds::Histograms | Kinds::All) {
            return BTreeMap::new();
        }
        let mut histograms = store.histograms();
        histograms.retain(|name, sample| self.wants(name, sample.used));
        histograms
    }

    fn wants(&self, name: &str, used: bool) -> bool {
        let matches = self.filter.as_ref().is_none_or(|filter| filter.is_match(name) != self.invert_filter);
        (used || !self.used_only) && matches
    }
}

/// Why a pattern is no regular expression, in RE2's words where they are known.
fn reason(pattern: &str, error: &regex::Error) -> String {
    use regex_syntax::ast::ErrorKind;
    let Err(regex_syntax::Error::Parse(parse)) = regex_syntax::parse(pattern) else { return error.to_string() };
    let from = pattern.get(parse.span().start.offset..).unwrap_or_default();
    let at = pattern.get(parse.span().start.offset..parse.span().end.offset).unwrap_or_default();
    match parse.kind() {
        ErrorKind::ClassUnclosed => format!("missing ]: {from}"),
        ErrorKind::GroupUnclosed => format!("missing ): {pattern}"),
        ErrorKind::GroupUnopened => format!("unexpected ): {pattern}"),
        ErrorKind::RepetitionMissing => {
            let operator = from.chars().next().map_or_else(String::new, |c| c.to_string());
            format!("no argument for repetition operator: {operator}")
        }
        ErrorKind::UnsupportedLookAround => format!("invalid perl operator: {at}"),
        ErrorKind::ClassRangeInvalid => format!("invalid character class range: {at}"),
        _ => error.to_string(),
    }
}
