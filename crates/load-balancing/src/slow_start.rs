//! Slow start: a host that is new, or healthy again, gets its weight little by little.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_config::model::SlowStart;

use crate::{Health, Host};

/// Who is in slow start.
#[derive(Debug)]
pub(crate) struct SlowStartClock {
    window: Duration,
    aggression: f64,
    min_weight: f64,
    /// When the last host came; nobody is in slow start a window later.
    latest: Option<Instant>,
}

impl SlowStartClock {
    pub(crate) fn new(config: &SlowStart, aggression: f64) -> Self {
        let aggression = if aggression > 0.0 { aggression } else { 1.0 };
        Self { window: config.window, aggression, min_weight: config.min_weight, latest: None }
    }

    /// Takes note of new hosts. Hosts that were there when the cluster was made are new, too, as in Envoy.
    pub(crate) fn update(&mut self, before: Option<&Self>, hosts: &[Arc<Host>], now: Instant) {
        self.latest = before.and_then(|before| before.latest);
        for host in hosts.iter().filter(|host| host.flags.health() == Health::Healthy) {
            let since = host.healthy_since(now);
            if self.latest.is_none_or(|latest| since > latest) && now.saturating_duration_since(since) <= self.window {
                self.latest = Some(since);
            }
        }
    }

    /// Whether every host has its full weight.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.latest.is_none_or(|latest| now.saturating_duration_since(latest) > self.window)
    }

    /// The share of its weight that a host has now.
    pub(crate) fn factor(&self, host: &Host, now: Instant) -> f64 {
        if self.is_over(now) || host.flags.health() != Health::Healthy {
            return 1.0;
        }
        let age = now.saturating_duration_since(host.healthy_since(now));
        if age >= self.window {
            return 1.0;
        }
        let time = age.max(Duration::from_millis(1)).as_secs_f64() / self.window.as_secs_f64();
        time.powf(1.0 / self.aggression).max(self.min_weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host;

    #[test]
    fn weight_grows() {
        let (host, start) = (host(1, 1), Instant::now());
        let config = SlowStart {
            window: Duration::from_secs(10),
            aggression: sandgate_config::model::RuntimeDouble { default: 1.0, key: String::new() },
            min_weight: 0.1,
        };
        let mut clock = SlowStartClock::new(&config, 1.0);
        clock.update(None, &[Arc::clone(&host)], start);
        let at = |clock: &SlowStartClock, seconds: f64| clock.factor(&host, start + Duration::from_secs_f64(seconds));
        assert_eq!([at(&clock, 0.0), at(&clock, 5.0), at(&clock, 10.0)], [0.1, 0.5, 1.0]);
        assert!(!clock.is_over(start + Duration::from_secs(10)) && clock.is_over(start + Duration::from_secs(11)));
        clock.aggression = 2.0;
        assert_eq!(at(&clock, 2.5), 0.5);
    }
}
