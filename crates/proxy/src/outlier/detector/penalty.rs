//! How long a host is left out: longer each time, shorter after good behaviour.

use std::time::{Duration, Instant};

/// For how long a host is out, or counts as degraded.
#[derive(Debug, Default)]
pub(super) struct Penalty {
    since: Option<Instant>,
    until_now: Option<Instant>,
    /// Multiplies the base time.
    backoff: u32,
    jitter: Duration,
}

// === impl Penalty ===

impl Penalty {
    pub(super) fn begin(&mut self, base: Duration, longest: Duration, jitter: Duration, now: Instant) {
        self.since = Some(now);
        self.jitter = jitter;
        if base.saturating_mul(self.backoff) < longest.saturating_add(base) {
            self.backoff = self.backoff.saturating_add(1);
        }
    }

    pub(super) fn end(&mut self, now: Instant) {
        self.until_now = Some(now);
    }

    pub(super) fn is_over(&self, base: Duration, longest: Duration, now: Instant) -> bool {
        let length = base.saturating_mul(self.backoff).min(longest).saturating_add(self.jitter);
        self.since.is_some_and(|since| length <= now.saturating_duration_since(since))
    }

    /// A whole interval without makes the next one shorter.
    pub(super) fn forgive(&mut self, interval: Duration, now: Instant) {
        if self.until_now.is_some_and(|end| now.saturating_duration_since(end) >= interval) {
            self.backoff = self.backoff.saturating_sub(1);
        }
    }
}
