//! Outlier detection of one cluster: who is ejected, for how long, and who comes back. No I/O; the clock is given.

mod penalty;
mod reason;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sandgate_config::model::OutlierDetection;
use sandgate_load_balancing::{HealthFlag, Host};

use super::monitor::{HostMonitor, Rate, Sign};
use super::rates::{ClusterRates, Threshold};
use crate::runtime::Runtime;
use crate::stats::OutlierDetectionStats;
use penalty::Penalty;
pub(crate) use reason::Reason;

/// What happened to a host.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) host: Arc<Host>,
    pub(crate) what: What,
    pub(crate) ejections: u32,
    /// Since what happened last of the opposite kind.
    pub(crate) since_last: Option<Duration>,
}

/// See [`Change`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// An outlier. Only if `enforced` does it stay out.
    Ejected { reason: Reason, enforced: bool, rates: Rates },
    /// It is back.
    Unejected,
}

/// The numbers behind an ejection by rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) host: f64,
    pub(crate) threshold: Threshold,
}

/// One cluster's outlier detection, on the main thread.
pub(crate) struct Detector {
    config: Arc<OutlierDetection>,
    runtime: Arc<Runtime>,
    stats: OutlierDetectionStats,
    hosts: Vec<Tracked>,
    /// Hosts that are out.
    active: u64,
    rates: Arc<ClusterRates>,
    random: fn() -> u64,
    changes: Vec<Change>,
}

struct Tracked {
    host: Arc<Host>,
    monitor: Arc<HostMonitor>,
    last_ejection: Option<Instant>,
    last_unejection: Option<Instant>,
    ejection: Penalty,
    degradation: Penalty,
}

// === impl Detector ===

impl Detector {
    /// A detector without hosts.
    pub(crate) fn new(
        config: &Arc<OutlierDetection>,
        runtime: &Arc<Runtime>,
        stats: OutlierDetectionStats,
        rates: Arc<ClusterRates>,
        random: fn() -> u64,
    ) -> Self {
        Self {
            config: Arc::clone(config),
            runtime: Arc::clone(runtime),
            stats,
            hosts: Vec::new(),
            active: 0,
            rates,
            random,
            changes: Vec::new(),
        }
    }

    /// Takes over the hosts of the cluster; `monitor` makes the monitor of one that is new. Must be done before any thread
    /// uses it.
    pub(crate) fn set_hosts(&mut self, hosts: &[Arc<Host>], mut monitor: impl FnMut(&Arc<Host>) -> Arc<HostMonitor>) {
        let known = |host: &Arc<Host>, hosts: &[Tracked]| hosts.iter().any(|tracked| tracked.host.is(host));
        let active = &mut self.active;
        self.hosts.retain(|tracked| {
            let stays = hosts.iter().any(|host| tracked.host.is(host));
            if !stays && tracked.is_out() {
                *active = active.saturating_sub(1);
            }
            stays
        });
        for host in hosts {
            if !known(host, &self.hosts) {
                let monitor = monitor(host);
                host.set_outlier(Arc::<HostMonitor>::clone(&monitor));
                self.hosts.push(Tracked::new(host, monitor));
            }
        }
        self.stats.ejections_active().set(self.active);
    }

    /// The time between two calls of [`Self::on_interval`].
    pub(crate) fn interval(&self) -> Duration {
        self.time("outlier_detection.interval_ms", self.config.interval)
    }

    /// What has changed since it was last asked.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// A thread has seen a sign on a host.
    pub(crate) fn on_sign(&mut self, host: &Arc<Host>, sign: Sign, now: Instant) {
        let Some(index) = self.hosts.iter().position(|tracked| tracked.host.is(host)) else { return };
        let reason = match sign {
            Sign::Degraded => return self.degrade(index, now),
            _ if host.flags.has(HealthFlag::FailedOutlierCheck) => return,
            Sign::Consecutive5xx => Reason::Consecutive5xx,
            Sign::GatewayFailure => Reason::ConsecutiveGatewayFailure,
            Sign::LocalOriginFailure => Reason::ConsecutiveLocalOriginFailure,
        };
        reason.count_detected(&self.stats);
        self.eject(index, reason, now);
        if sign == Sign::Consecutive5xx {
            self.stats.ejections_consecutive_5xx().inc();
        }
        if let Some(tracked) = self.hosts.get(index) {
            tracked.monitor.reset(sign);
        }
    }

    /// An active check of a host has succeeded.
    pub(crate) fn on_check_passed(&mut self, host: &Arc<Host>, now: Instant) {
        if !self.config.successful_active_health_check_uneject_host || host.flags.has(HealthFlag::FailedActiveHc) {
            return;
        }
        let index = self.hosts.iter().position(|tracked| tracked.host.is(host));
        if let Some(index) = index.filter(|_| host.flags.has(HealthFlag::FailedOutlierCheck)) {
            self.uneject(index, now);
        }
    }

    /// An interval has passed: hosts come back, and rates are looked at.
    pub(crate) fn on_interval(&mut self, now: Instant) {
        let base = self.time("outlier_detection.base_ejection_time_ms", self.config.base_ejection_time);
        let longest = self.time("outlier_detection.max_ejection_time_ms", self.config.max_ejection_time);
        for index in 0..self.hosts.len() {
            let Some(tracked) = self.hosts.get(index) else { continue };
            let over = |penalty: &Penalty| penalty.is_over(base, longest, now);
            if tracked.is_out() && over(&tracked.ejection) {
                self.uneject(index, now);
            } else if tracked.host.flags.has(HealthFlag::DegradedOutlierDetection) && over(&tracked.degradation) {
                self.undegrade(index, now);
            }
        }
        self.look_at_rates(true, now);
        self.look_at_rates(false, now);
        let interval = self.interval();
        for tracked in &mut self.hosts {
            if !tracked.is_out() {
                tracked.ejection.forgive(interval, now);
            }
            if !tracked.host.flags.has(HealthFlag::DegradedOutlierDetection) {
                tracked.degradation.forgive(interval, now);
            }
        }
    }

    /// Ejects hosts that were worse than the others, or too bad by themselves.
    fn look_at_rates(&mut self, external: bool, now: Instant) {
        self.rates.set(external, Threshold::NONE);
        let number = |key: &str, default: u32| self.runtime.integer(key, default.into());
        let config = &self.config;
        let rate_hosts = number("outlier_detection.success_rate_minimum_hosts", config.success_rate_minimum_hosts);
        let rate_volume = number("outlier_detection.success_rate_request_volume", config.success_rate_request_volume);
        let share_hosts =
            number("outlier_detection.failure_percentage_minimum_hosts", config.failure_percentage_minimum_hosts);
        let share_volume =
            number("outlier_detection.failure_percentage_request_volume", config.failure_percentage_request_volume);
        let factor = number("outlier_detection.success_rate_stdev_factor", config.success_rate_stdev_factor);
        let worst = number("outlier_detection.failure_percentage_threshold", config.failure_percentage_threshold);
        let enough_hosts = self.hosts.len() as u64 >= rate_hosts.min(share_hosts);
        let mut rates = Vec::new();
        for (index, tracked) in self.hosts.iter().enumerate() {
            let rate = tracked.rate(external);
            rate.show(-1.0);
            let Some(volume) = rate.take().filter(|_| enough_hosts && !tracked.is_out()) else { continue };
            if volume.total >= rate_volume.min(share_volume) {
                rate.show(volume.success_rate);
            }
            rates.push((index, volume));
        }
        let with = |least: u64| rates.iter().filter(move |(_, volume)| volume.total >= least).copied();
        let compared: Vec<_> = with(rate_volume).map(|(index, volume)| (index, volume.success_rate)).collect();
        let alone: Vec<_> = with(share_volume).map(|(index, volume)| (index, volume.success_rate)).collect();
        if !compared.is_empty() && compared.len() as u64 >= rate_hosts {
            #[expect(clippy::cast_precision_loss, reason = "thousandths of a factor")]
            let factor = factor as f64 / 1000.0;
            let threshold = Threshold::of(compared.iter().map(|(_, rate)| *rate), factor);
            self.rates.set(external, threshold);
            for (index, _) in compared.into_iter().filter(|(_, rate)| *rate < threshold.ejection) {
                self.stats.ejections_success_rate().inc();
                let reason = if external { Reason::SuccessRate } else { Reason::SuccessRateLocalOrigin };
                reason.count_detected(&self.stats);
                self.eject(index, reason, now);
            }
        }
        if !alone.is_empty() && alone.len() as u64 >= share_hosts {
            #[expect(clippy::cast_precision_loss, reason = "a percentage")]
            let worst = worst as f64;
            for (index, _) in alone.into_iter().filter(|(_, rate)| 100.0 - rate >= worst) {
                let reason = if external { Reason::FailurePercentage } else { Reason::FailurePercentageLocalOrigin };
                reason.count_detected(&self.stats);
                self.eject(index, reason, now);
            }
        }
    }

    fn eject(&mut self, index: usize, reason: Reason, now: Instant) {
        // A host may be found bad in two ways at once.
        if self.hosts.get(index).is_none_or(Tracked::is_out) {
            return;
        }
        let percent = self
            .runtime
            .integer("outlier_detection.max_ejection_percent", self.config.max_ejection_percent.into())
            .min(100);
        let fits = 100 * (self.active + 1) <= percent * self.hosts.len() as u64;
        let first = self.config.always_eject_one_host && self.active == 0;
        if !fits && !first {
            self.stats.ejections_overflow().inc();
            return;
        }
        if matches!(reason, Reason::Consecutive5xx | Reason::SuccessRate) {
            self.stats.ejections_total().inc();
        }
        let (key, default) = reason.enforcing(&self.config);
        let enforced = (self.random)() % 100 < self.runtime.integer(key, default.into()).min(100);
        let jitter = self.jitter();
        let (base, longest) = (
            self.time("outlier_detection.base_ejection_time_ms", self.config.base_ejection_time),
            self.time("outlier_detection.max_ejection_time_ms", self.config.max_ejection_time),
        );
        let external = !matches!(reason, Reason::SuccessRateLocalOrigin | Reason::FailurePercentageLocalOrigin);
        let threshold = self.rates.get(external);
        let Some(tracked) = self.hosts.get_mut(index) else { return };
        if enforced {
            self.active += 1;
            self.stats.ejections_active().set(self.active);
            reason.count_enforced(&self.stats);
            tracked.host.flags.set(HealthFlag::FailedOutlierCheck);
            tracked.monitor.ejections.fetch_add(1, Relaxed);
            tracked.last_ejection = Some(now);
            tracked.ejection.begin(base, longest, jitter, now);
        }
        let rates = Rates { host: tracked.shown_rate(external), threshold };
        let since_last = tracked.last_unejection.map(|last| now.saturating_duration_since(last));
        let change = tracked.change(What::Ejected { reason, enforced, rates }, since_last);
        self.changes.push(change);
    }

    fn uneject(&mut self, index: usize, now: Instant) {
        let Some(tracked) = self.hosts.get_mut(index) else { return };
        self.active = self.active.saturating_sub(1);
        self.stats.ejections_active().set(self.active);
        tracked.host.flags.clear(HealthFlag::FailedOutlierCheck);
        // A counter that is near its threshold would throw the host out again at once.
        for sign in [Sign::Consecutive5xx, Sign::GatewayFailure, Sign::LocalOriginFailure] {
            tracked.monitor.reset(sign);
        }
        tracked.last_unejection = Some(now);
        tracked.ejection.end(now);
        let since_last = tracked.last_ejection.map(|last| now.saturating_duration_since(last));
        let change = tracked.change(What::Unejected, since_last);
        self.changes.push(change);
    }

    fn degrade(&mut self, index: usize, now: Instant) {
        let jitter = self.jitter();
        let (base, longest) = (
            self.time("outlier_detection.base_ejection_time_ms", self.config.base_ejection_time),
            self.time("outlier_detection.max_ejection_time_ms", self.config.max_ejection_time),
        );
        let Some(tracked) = self.hosts.get_mut(index) else { return };
        if tracked.host.flags.has(HealthFlag::DegradedOutlierDetection) {
            return;
        }
        Reason::Degraded.count_detected(&self.stats);
        tracked.host.flags.set(HealthFlag::DegradedOutlierDetection);
        tracked.degradation.begin(base, longest, jitter, now);
        let rates = Rates { host: -1.0, threshold: Threshold::NONE };
        let since_last = tracked.last_unejection.map(|last| now.saturating_duration_since(last));
        let change = tracked.change(What::Ejected { reason: Reason::Degraded, enforced: true, rates }, since_last);
        self.changes.push(change);
    }

    fn undegrade(&mut self, index: usize, now: Instant) {
        let Some(tracked) = self.hosts.get_mut(index) else { return };
        tracked.host.flags.clear(HealthFlag::DegradedOutlierDetection);
        tracked.degradation.end(now);
        let since_last = tracked.last_ejection.map(|last| now.saturating_duration_since(last));
        let change = tracked.change(What::Unejected, since_last);
        self.changes.push(change);
    }

    /// Below the greatest, so that not all hosts come back at once.
    fn jitter(&self) -> Duration {
        let most = self.time("outlier_detection.max_ejection_time_jitter_ms", self.config.max_ejection_time_jitter);
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis((self.random)() % most.saturating_add(1))
    }

    fn time(&self, key: &str, default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.runtime.integer(key, default))
    }
}

// === impl Tracked ===

impl Drop for Detector {
    fn drop(&mut self) {
        self.stats.ejections_active().set(0);
    }
}

impl Tracked {
    fn new(host: &Arc<Host>, monitor: Arc<HostMonitor>) -> Self {
        Self {
            host: Arc::clone(host),
            monitor,
            last_ejection: None,
            last_unejection: None,
            ejection: Penalty::default(),
            degradation: Penalty::default(),
        }
    }

    fn is_out(&self) -> bool {
        self.host.flags.has(HealthFlag::FailedOutlierCheck)
    }

    fn rate(&self, external: bool) -> &Rate {
        if external { &self.monitor.external } else { &self.monitor.local }
    }

    fn shown_rate(&self, external: bool) -> f64 {
        use sandgate_load_balancing::OutlierMonitor as _;
        self.monitor.success_rate(external)
    }

    fn change(&self, what: What, since_last: Option<Duration>) -> Change {
        Change { host: Arc::clone(&self.host), what, ejections: self.monitor.ejections.load(Relaxed), since_last }
    }
}

#[cfg(test)]
mod tests;
