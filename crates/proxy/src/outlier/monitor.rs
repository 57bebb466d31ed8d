//! What the threads count of one host, and when they tell the main thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use sandgate_config::model::OutlierDetection;
use sandgate_load_balancing::{OutlierMonitor, OutlierResult};

use crate::runtime::Runtime;

/// Too many failures in a row on one host, or what it said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// 5xx.
    Consecutive5xx,
    /// 502, 503, 504.
    GatewayFailure,
    /// Failures to connect, resets and timeouts.
    LocalOriginFailure,
    /// `x-envoy-degraded`.
    Degraded,
}

/// Tells the main thread of a sign.
pub(crate) type Notify = Box<dyn Fn(Sign) + Send + Sync>;

/// One host as all threads see it.
pub(crate) struct HostMonitor {
    config: Arc<OutlierDetection>,
    runtime: Arc<Runtime>,
    notify: Notify,
    consecutive_5xx: AtomicU32,
    gateway_failures: AtomicU32,
    local_failures: AtomicU32,
    pub(super) external: Rate,
    pub(super) local: Rate,
    pub(super) ejections: AtomicU32,
}

/// Results of one interval, and what the one before it came to.
#[derive(Debug)]
pub(super) struct Rate {
    total: AtomicU64,
    good: AtomicU64,
    /// Percent, as bits of a float; -1 if there were too few.
    shown: AtomicU64,
}

/// What an interval brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Volume {
    pub(super) total: u64,
    /// Percent.
    pub(super) success_rate: f64,
}

// === impl HostMonitor ===

impl HostMonitor {
    pub(crate) fn new(config: &Arc<OutlierDetection>, runtime: &Arc<Runtime>, notify: Notify) -> Arc<Self> {
        Arc::new(Self {
            config: Arc::clone(config),
            runtime: Arc::clone(runtime),
            notify,
            consecutive_5xx: AtomicU32::new(0),
            gateway_failures: AtomicU32::new(0),
            local_failures: AtomicU32::new(0),
            external: Rate::default(),
            local: Rate::default(),
            ejections: AtomicU32::new(0),
        })
    }

    /// Begins to count anew after a sign was seen to.
    pub(super) fn reset(&self, sign: Sign) {
        match sign {
            Sign::Consecutive5xx => self.consecutive_5xx.store(0, Relaxed),
            Sign::GatewayFailure => self.gateway_failures.store(0, Relaxed),
            Sign::LocalOriginFailure => self.local_failures.store(0, Relaxed),
            Sign::Degraded => {}
        }
    }

    /// Counts one failure more, and tells if that makes the threshold. A threshold of 0 is never reached.
    fn failed(&self, counter: &AtomicU32, sign: Sign, key: &str, threshold: u32) {
        let count = counter.fetch_add(1, Relaxed).wrapping_add(1);
        if u64::from(count) == self.runtime.integer(key, threshold.into()) {
            (self.notify)(sign);
        }
    }

    fn local_origin(&self, good: bool) {
        self.local.count(good);
        if good {
            self.local_failures.store(0, Relaxed);
            return;
        }
        let threshold = self.config.consecutive_local_origin_failure;
        let key = "outlier_detection.consecutive_local_origin_failure";
        self.failed(&self.local_failures, Sign::LocalOriginFailure, key, threshold);
    }
}

impl OutlierMonitor for HostMonitor {
    fn put_http_response_code(&self, code: u16) {
        let good = !(500..600).contains(&code);
        self.external.count(good);
        if good {
            self.consecutive_5xx.store(0, Relaxed);
            self.gateway_failures.store(0, Relaxed);
            return;
        }
        if matches!(code, 502..=504) {
            let threshold = self.config.consecutive_gateway_failure;
            let key = "outlier_detection.consecutive_gateway_failure";
            self.failed(&self.gateway_failures, Sign::GatewayFailure, key, threshold);
        } else {
            self.gateway_failures.store(0, Relaxed);
        }
        let threshold = self.config.consecutive_5xx;
        self.failed(&self.consecutive_5xx, Sign::Consecutive5xx, "outlier_detection.consecutive_5xx", threshold);
    }

    fn put_result(&self, result: OutlierResult, code: Option<u16>) {
        use OutlierResult::{
            ExtOriginRequestFailed, ExtOriginRequestSuccess, LocalOriginConnectFailed, LocalOriginConnectSuccess,
            LocalOriginConnectSuccessFinal, LocalOriginTimeout,
        };
        if self.config.split_external_local_origin_errors {
            match result {
                LocalOriginConnectSuccess | LocalOriginConnectSuccessFinal => self.local_origin(true),
                LocalOriginTimeout | LocalOriginConnectFailed => self.local_origin(false),
                ExtOriginRequestFailed => self.put_http_response_code(503),
                ExtOriginRequestSuccess => {
                    self.put_http_response_code(200);
                    self.local_origin(true);
                }
            }
            return;
        }
        let usual = match result {
            ExtOriginRequestSuccess | LocalOriginConnectSuccessFinal => Some(200),
            LocalOriginTimeout => Some(504),
            LocalOriginConnectFailed => Some(503),
            ExtOriginRequestFailed => Some(500),
            // What comes over the connection counts.
            LocalOriginConnectSuccess => None,
        };
        if let Some(code) = code.or(usual) {
            self.put_http_response_code(code);
        }
    }

    fn put_degraded(&self) {
        if self.config.detect_degraded_hosts {
            (self.notify)(Sign::Degraded);
        }
    }

    fn success_rate(&self, external: bool) -> f64 {
        let rate = if external { &self.external } else { &self.local };
        f64::from_bits(rate.shown.load(Relaxed))
    }

    fn ejections(&self) -> u32 {
        self.ejections.load(Relaxed)
    }
}

impl std::fmt::Debug for HostMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostMonitor")
            .field("external", &self.external)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

// === impl Rate ===

impl Rate {
    fn count(&self, good: bool) {
        self.total.fetch_add(1, Relaxed);
        if good {
            self.good.fetch_add(1, Relaxed);
        }
    }

    /// Ends an interval; what it brought, if anything.
    pub(super) fn take(&self) -> Option<Volume> {
        let (total, good) = (self.total.swap(0, Relaxed), self.good.swap(0, Relaxed));
        // A result may come between the two reads.
        let good = good.min(total);
        #[expect(clippy::cast_precision_loss, reason = "a share of counts")]
        (total > 0).then(|| Volume { total, success_rate: good as f64 * 100.0 / total as f64 })
    }

    pub(super) fn show(&self, percent: f64) {
        self.shown.store(percent.to_bits(), Relaxed);
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self { total: AtomicU64::new(0), good: AtomicU64::new(0), shown: AtomicU64::new((-1.0_f64).to_bits()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Watched {
        monitor: Arc<HostMonitor>,
        seen: Arc<Mutex<Vec<Sign>>>,
    }

    fn watched(config: OutlierDetection) -> Watched {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notified = Arc::clone(&seen);
        let notify = Box::new(move |sign| notified.lock().expect("not poisoned").push(sign));
        Watched { monitor: HostMonitor::new(&Arc::new(config), &Arc::default(), notify), seen }
    }

    impl Watched {
        fn codes(&self, codes: &[u16]) -> Vec<Sign> {
            codes.iter().for_each(|code| self.monitor.put_http_response_code(*code));
            std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
        }

        fn results(&self, results: &[OutlierResult]) -> Vec<Sign> {
            results.iter().for_each(|result| self.monitor.put_result(*result, None));
            self.codes(&[])
        }
    }

    use OutlierResult::{LocalOriginConnectFailed, LocalOriginConnectSuccess, LocalOriginTimeout};
    use Sign::{Consecutive5xx, GatewayFailure, LocalOriginFailure};

    #[test]
    fn failures_in_a_row_are_told_once() {
        let host = watched(OutlierDetection {
            consecutive_5xx: 3,
            consecutive_gateway_failure: 2,
            ..OutlierDetection::default()
        });
        assert_eq!(host.codes(&[500, 500, 200, 500, 500]), []);
        assert_eq!(host.codes(&[503, 503]), [Consecutive5xx, GatewayFailure]);
        assert_eq!(host.codes(&[503, 503, 503]), [], "until somebody has seen to it");
        host.monitor.reset(Consecutive5xx);
        assert_eq!(host.codes(&[500, 502, 504]), [GatewayFailure, Consecutive5xx], "500 is no gateway's");
    }

    #[test]
    fn no_threshold_is_no_sign() {
        let host = watched(OutlierDetection { consecutive_5xx: 0, ..OutlierDetection::default() });
        assert_eq!(host.codes(&[500; 20]), []);
    }

    #[test]
    fn local_failures_are_codes_unless_split() {
        let host = watched(OutlierDetection { consecutive_5xx: 3, ..OutlierDetection::default() });
        let results = [LocalOriginConnectFailed, LocalOriginConnectSuccess, LocalOriginTimeout, LocalOriginTimeout];
        assert_eq!(host.results(&results), [Consecutive5xx]);
        host.monitor.put_result(LocalOriginTimeout, Some(408));
        assert_eq!(host.monitor.external.take(), Some(Volume { total: 4, success_rate: 25.0 }));
        let split = watched(OutlierDetection {
            consecutive_local_origin_failure: 2,
            split_external_local_origin_errors: true,
            ..OutlierDetection::default()
        });
        assert_eq!(split.results(&results), [LocalOriginFailure]);
        assert_eq!(split.monitor.external.take(), None);
        assert_eq!(split.monitor.local.take(), Some(Volume { total: 4, success_rate: 25.0 }));
        assert_eq!(split.monitor.local.take(), None, "an interval begins at nothing");
    }

    #[test]
    fn degraded_is_told_if_wanted() {
        let host = watched(OutlierDetection { detect_degraded_hosts: true, ..OutlierDetection::default() });
        host.monitor.put_degraded();
        assert_eq!(host.codes(&[]), [Sign::Degraded]);
        let other = watched(OutlierDetection::default());
        other.monitor.put_degraded();
        assert_eq!(other.codes(&[]), []);
    }
}
