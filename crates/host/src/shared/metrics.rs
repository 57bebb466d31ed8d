//! Guests' metrics: one set for the process, as in Envoy.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use sandgate_abi::{MetricType, Status};
use sandgate_stats::SharedHistogram;

use super::space::locked;
use crate::{HostLimits, Stat};

/// All metrics by kind and name.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    by_name: Mutex<BTreeMap<(String, MetricType), Arc<Metric>>>,
}

/// One metric.
#[derive(Debug)]
pub(crate) enum Metric {
    Counter(AtomicU64),
    Gauge(AtomicU64),
    Histogram(SharedHistogram),
}

// === impl Metrics ===

impl Metrics {
    /// The metric of this name and kind, made if need be.
    pub(crate) fn define(&self, kind: MetricType, name: &[u8], limits: &HostLimits) -> Result<Arc<Metric>, Status> {
        if name.len() > limits.metric_name_bytes {
            return Err(Status::InternalFailure);
        }
        let key = (String::from_utf8_lossy(name).into_owned(), kind);
        let mut metrics = locked(&self.by_name);
        if let Some(metric) = metrics.get(&key) {
            return Ok(Arc::clone(metric));
        }
        if metrics.len() >= limits.metrics {
            return Err(Status::InternalFailure);
        }
        let metric = Arc::new(match kind {
            MetricType::Counter => Metric::Counter(AtomicU64::new(0)),
            MetricType::Gauge => Metric::Gauge(AtomicU64::new(0)),
            MetricType::Histogram => Metric::Histogram(SharedHistogram::default()),
        });
        metrics.insert(key, Arc::clone(&metric));
        Ok(metric)
    }

    /// Every metric in the order of names, as `wasmcustom.<name>`.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&str, Stat)) {
        let metrics: Vec<_> =
            locked(&self.by_name).iter().map(|((name, _), m)| (name.clone(), Arc::clone(m))).collect();
        for (name, metric) in metrics {
            visit(&format!("wasmcustom.{name}"), metric.stat());
        }
    }
}

// === impl Metric ===

impl Metric {
    /// Adds; a counter only more than 0 (a gauge wraps, as in Envoy).
    pub(crate) fn increment(&self, delta: i64) -> Result<(), Status> {
        match self {
            Self::Counter(value) if delta > 0 => value.fetch_add(delta.unsigned_abs(), Relaxed),
            Self::Gauge(value) if delta > 0 => value.fetch_add(delta.unsigned_abs(), Relaxed),
            Self::Gauge(value) => value.fetch_sub(delta.unsigned_abs(), Relaxed),
            Self::Counter(_) | Self::Histogram(_) => return Err(Status::BadArgument),
        };
        Ok(())
    }

    /// Adds to a counter, sets a gauge, takes a sample.
    pub(crate) fn record(&self, value: u64) {
        match self {
            Self::Counter(counter) => {
                counter.fetch_add(value, Relaxed);
            }
            Self::Gauge(gauge) => gauge.store(value, Relaxed),
            Self::Histogram(histogram) => histogram.record(value),
        }
    }

    /// The value of a counter or gauge.
    pub(crate) fn get(&self) -> Result<u64, Status> {
        match self {
            Self::Counter(value) | Self::Gauge(value) => Ok(value.load(Relaxed)),
            Self::Histogram(_) => Err(Status::BadArgument),
        }
    }

    fn stat(&self) -> Stat {
        match self {
            Self::Counter(value) => Stat::Counter(value.load(Relaxed)),
            Self::Gauge(value) => Stat::Gauge(value.load(Relaxed)),
            Self::Histogram(histogram) => Stat::Histogram(histogram.read()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn kinds_differ_as_in_envoy() {
        let metrics = Metrics::default();
        let limits = HostLimits::default();
        let counter = metrics.define(MetricType::Counter, b"m", &limits).unwrap();
        assert_eq!(counter.increment(0), Err(Status::BadArgument));
        assert_eq!(counter.increment(-1), Err(Status::BadArgument));
        counter.increment(2).unwrap();
        counter.record(3);
        assert_eq!(counter.get(), Ok(5));
        let gauge = metrics.define(MetricType::Gauge, b"m", &limits).unwrap();
        gauge.record(7);
        gauge.increment(-2).unwrap();
        assert_eq!(gauge.get(), Ok(5));
        let histogram = metrics.define(MetricType::Histogram, b"m", &limits).unwrap();
        histogram.record(9);
        assert_eq!(histogram.increment(1), Err(Status::BadArgument));
        assert_eq!(histogram.get(), Err(Status::BadArgument));
        let mut names = Vec::new();
        metrics.visit(&mut |name, _| names.push(name.to_owned()));
        assert_eq!(names, ["wasmcustom.m"; 3]);
    }

    #[test]
    fn the_number_of_metrics_is_bounded() {
        let metrics = Metrics::default();
        let limits = HostLimits { metrics: 1, metric_name_bytes: 3, ..HostLimits::default() };
        metrics.define(MetricType::Counter, b"abc", &limits).unwrap();
        metrics.define(MetricType::Counter, b"abc", &limits).unwrap();
        assert_eq!(metrics.define(MetricType::Counter, b"b", &limits).unwrap_err(), Status::InternalFailure);
        assert_eq!(metrics.define(MetricType::Counter, b"abcd", &limits).unwrap_err(), Status::InternalFailure);
    }
}
