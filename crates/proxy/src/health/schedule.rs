//! When to check next.

use std::time::Duration;

use sandgate_config::model::HealthCheck;

use super::Transition;

/// What the last result was, for the choice of the next interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastResult {
    /// The check succeeded.
    pub(crate) passed: bool,
    pub(crate) transition: Transition,
    /// The cluster has had a connection for requests, ever.
    pub(crate) traffic: bool,
}

/// What the runtime says of all intervals (`health_check.min_interval`, `health_check.max_interval`), in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

/// The time to the next check; `random` gives any number.
pub(crate) fn next(
    config: &HealthCheck,
    last: LastResult,
    bounds: Bounds,
    random: &mut dyn FnMut() -> u64,
) -> Duration {
    let pending = last.transition == Transition::Pending;
    let base = match (last.traffic, last.passed) {
        (false, true) if !pending => config.no_traffic_healthy_interval,
        (false, _) => config.no_traffic_interval,
        (true, true) if pending => config.healthy_edge_interval,
        (true, true) => config.interval,
        (true, false) if pending => config.unhealthy_edge_interval,
        (true, false) => config.unhealthy_interval,
    };
    jittered(config, base, config.interval_jitter, bounds, random)
}

/// The time to the first check.
pub(crate) fn first(config: &HealthCheck, bounds: Bounds, random: &mut dyn FnMut() -> u64) -> Duration {
    if config.initial_jitter.is_zero() {
        return Duration::ZERO;
    }
    jittered(config, Duration::ZERO, config.initial_jitter, bounds, random)
}

/// Never zero: that would be checking without end.
fn jittered(
    config: &HealthCheck,
    base: Duration,
    jitter: Duration,
    bounds: Bounds,
    random: &mut dyn FnMut() -> u64,
) -> Duration {
    let mut millis = millis(base);
    let mut add = |below: u64| {
        if below > 0 {
            millis = millis.saturating_add(random() % below);
        }
    };
    add(u64::from(config.interval_jitter_percent).saturating_mul(self::millis(base)) / 100);
    add(self::millis(jitter));
    Duration::from_millis(millis.min(bounds.max).max(bounds.min).max(1))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

// === impl Bounds ===

impl Default for Bounds {
    fn default() -> Self {
        Self { min: 0, max: u64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::{HealthCheckKind, Origin, TcpHealthCheck};

    use super::*;

    fn config() -> HealthCheck {
        let secs = Duration::from_secs;
        HealthCheck {
            alpn_protocols: Vec::new(),
            timeout: secs(1),
            interval: secs(10),
            initial_jitter: Duration::ZERO,
            interval_jitter: Duration::ZERO,
            interval_jitter_percent: 0,
            unhealthy_threshold: 2,
            healthy_threshold: 2,
            reuse_connection: true,
            no_traffic_interval: secs(20),
            no_traffic_healthy_interval: secs(30),
            unhealthy_interval: secs(40),
            unhealthy_edge_interval: secs(50),
            healthy_edge_interval: secs(60),
            event_log_paths: Vec::new(),
            always_log_failures: false,
            always_log_success: false,
            kind: HealthCheckKind::Tcp(TcpHealthCheck::default()),
            origin: Origin::default(),
        }
    }

    #[test]
    fn each_state_has_its_interval() {
        use Transition::{Changed, Pending, Unchanged};
        let config = config();
        for (traffic, passed, transition, seconds) in [
            (true, true, Unchanged, 10),
            (true, true, Changed, 10),
            (true, true, Pending, 60),
            (true, false, Unchanged, 40),
            (true, false, Changed, 40),
            (true, false, Pending, 50),
            (false, true, Unchanged, 30),
            (false, true, Pending, 20),
            (false, false, Unchanged, 20),
            (false, false, Pending, 20),
        ] {
            let last = LastResult { passed, transition, traffic };
            assert_eq!(next(&config, last, Bounds::default(), &mut || 7), Duration::from_secs(seconds), "{last:?}");
        }
    }

    #[test]
    fn jitter_is_added_and_bounds_hold() {
        let mut config = config();
        let last = LastResult { passed: true, transition: Transition::Unchanged, traffic: true };
        let wait = |config: &HealthCheck, bounds| next(config, last, bounds, &mut || u64::from(u32::MAX)).as_millis();
        config.interval_jitter_percent = 50;
        // 2^32 - 1 modulo 5000.
        assert_eq!(wait(&config, Bounds::default()), 10_000 + 2_295);
        config.interval_jitter = Duration::from_secs(2);
        assert_eq!(wait(&config, Bounds::default()), 10_000 + 2_295 + 1_295);
        assert_eq!(wait(&config, Bounds { min: 0, max: 900 }), 900);
        assert_eq!(wait(&config, Bounds { min: 70_000, max: 900 }), 70_000);
        config.interval = Duration::ZERO;
        config.interval_jitter = Duration::ZERO;
        assert_eq!(wait(&config, Bounds::default()), 1);
    }

    #[test]
    fn the_first_check_waits_for_its_jitter_alone() {
        let mut config = config();
        assert_eq!(first(&config, Bounds::default(), &mut || 5), Duration::ZERO);
        config.initial_jitter = Duration::from_millis(3);
        assert_eq!(first(&config, Bounds::default(), &mut || 5), Duration::from_millis(2));
        assert_eq!(first(&config, Bounds::default(), &mut || 6), Duration::from_millis(1), "never zero");
    }
}
