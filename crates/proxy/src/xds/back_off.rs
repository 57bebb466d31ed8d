//! How long to wait before the next stream.

use std::time::Duration;

/// Exponential with full jitter, as Envoy's.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackOff {
    /// All in milliseconds.
    base: u64,
    max: u64,
    /// The next wait is below it.
    next: u64,
}

impl BackOff {
    pub(super) fn new(base: Duration, max: Duration) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { base: millis(base), max: millis(max), next: millis(base) }
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = fastrand::u64(..self.next);
        self.next = if self.next < self.max / 2 { self.next * 2 } else { self.max };
        Duration::from_millis(wait)
    }

    /// A response has come.
    pub(super) fn reset(&mut self) {
        self.next = self.base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_greatest() {
        let mut back_off = BackOff::new(Duration::from_millis(500), Duration::from_secs(30));
        for bound in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            assert_eq!(back_off.next, bound);
            assert!(back_off.next() < Duration::from_millis(bound));
        }
        back_off.reset();
        assert_eq!(back_off.next, 500);
    }

    #[test]
    fn nothing_is_the_shortest() {
        let mut back_off = BackOff::new(Duration::ZERO, Duration::MAX);
        assert_eq!(back_off.next(), Duration::ZERO);
        assert_eq!(back_off.next, 2);
    }
}
