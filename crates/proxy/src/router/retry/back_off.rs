//! How long to wait before the next attempt.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandgate_config::model::{BackOff, RateLimitedBackOff, ResetHeaderFormat};
use sandgate_http::HeaderMap;

use crate::router::headers::parse_number;
use crate::runtime::Runtime;

/// Milliseconds, where neither the route nor the runtime says otherwise.
const BASE: u64 = 25;

/// Exponential with full jitter, or what the response asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackOffState {
    /// In milliseconds; waits are below it.
    next: u64,
    max: u64,
    at_least: Option<Duration>,
}

// === impl BackOffState ===

impl BackOffState {
    pub(crate) fn new(config: Option<&BackOff>, runtime: &Runtime) -> Self {
        let base = config
            .and_then(|config| config.base_interval)
            .unwrap_or_else(|| Duration::from_millis(runtime.integer("upstream.base_retry_backoff_ms", BASE)));
        let max = config.and_then(|config| config.max_interval).unwrap_or_else(|| base.saturating_mul(10));
        Self { next: millis(base).max(1), max: millis(max).max(1), at_least: None }
    }

    /// The next wait is as long as the response asks for, and up to half as long again.
    pub(super) fn wait_at_least(&mut self, interval: Duration) {
        self.at_least = Some(interval);
    }

    /// The next wait, and whether the response asked for it.
    pub(crate) fn next(&mut self) -> (Duration, bool) {
        if let Some(interval) = self.at_least.take() {
            let half = (millis(interval) / 2).max(1);
            return (interval + Duration::from_millis(fastrand::u64(..half)), true);
        }
        let wait = fastrand::u64(..self.next);
        self.next = if self.next <= self.max / 2 { self.next * 2 } else { self.max };
        (Duration::from_millis(wait), false)
    }
}

/// When the response says to come again: its first reset header that has a number counts, if it is not too far away.
pub(super) fn reset_interval(limits: &RateLimitedBackOff, response: &HeaderMap) -> Option<Duration> {
    limits
        .reset_headers
        .iter()
        .filter_map(|header| {
            let seconds = parse_number(response.get(header.name.as_bytes())?)?;
            Some(Duration::from_secs(match header.format {
                ResetHeaderFormat::Seconds => seconds,
                ResetHeaderFormat::UnixTimestamp => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                    seconds.checked_sub(now)?
                }
            }))
        })
        .find(|interval| *interval <= limits.max_interval)
        // Envoy takes no notice of an interval of at most a millisecond.
        .filter(|interval| !interval.is_zero())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::ResetHeader;

    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let runtime = Runtime::default();
        let mut state = BackOffState::new(
            Some(&BackOff {
                base_interval: Some(Duration::from_millis(10)),
                max_interval: Some(Duration::from_millis(35)),
            }),
            &runtime,
        );
        let limits: Vec<_> = (0..5)
            .map(|_| {
                let limit = state.next;
                assert!(millis(state.next().0) < limit);
                limit
            })
            .collect();
        assert_eq!(limits, [10, 20, 35, 35, 35]);
        let state = BackOffState::new(None, &runtime);
        assert_eq!((state.next, state.max), (25, 250));
    }

    #[test]
    fn the_response_may_ask_for_more() {
        let mut state = BackOffState::new(None, &Runtime::default());
        state.wait_at_least(Duration::from_secs(2));
        let (wait, told) = state.next();
        assert!(told && wait >= Duration::from_secs(2) && wait < Duration::from_secs(3));
        assert!(!state.next().1);
    }

    #[test]
    fn reset_headers_say_when() {
        let header = |name: &str, format| ResetHeader { name: name.into(), format };
        let limits = RateLimitedBackOff {
            reset_headers: vec![
                header("retry-after", ResetHeaderFormat::Seconds),
                header("x-reset", ResetHeaderFormat::UnixTimestamp),
            ],
            max_interval: Duration::from_secs(300),
        };
        let interval = |lines: &[(&str, String)]| {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value.as_bytes()));
            reset_interval(&limits, &headers)
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        assert_eq!(interval(&[("retry-after", "7".into())]), Some(Duration::from_secs(7)));
        assert_eq!(interval(&[("retry-after", "301".into())]), None);
        assert_eq!(interval(&[("retry-after", "soon".into())]), None);
        assert_eq!(interval(&[("x-reset", (now - 1).to_string())]), None);
        let later = interval(&[("retry-after", "301".into()), ("x-reset", (now + 100).to_string())]);
        assert!(later.is_some_and(|later| (98..=100).contains(&later.as_secs())));
    }
}
