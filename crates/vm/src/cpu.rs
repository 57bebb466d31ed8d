//! The CPU time of one guest call, by the thread's CPU clock.
//!
//! Engines look at the clock only when a call takes long: reading it costs more than most calls. What tells them that
//! a call takes long is wall time, and the thread may have been descheduled, so the clock decides.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::guest::Stop;

/// The CPU time of the call that is running, counted from the first look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock {
    limit: Duration,
    /// The thread's CPU time at the first look within the call.
    baseline: Option<Duration>,
}

// === impl CpuClock ===

impl CpuClock {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, baseline: None }
    }

    #[cfg(feature = "v8")]
    pub(crate) const fn limit(&self) -> Duration {
        self.limit
    }

    /// How much time is left, which is never nothing. To be asked on the thread that makes the call.
    ///
    /// # Errors
    /// The limit has been used up.
    pub(crate) fn check(&mut self) -> Result<Duration, Stop> {
        let now = thread_cpu_time();
        let used = now.saturating_sub(*self.baseline.get_or_insert(now));
        self.limit.checked_sub(used).filter(|left| !left.is_zero()).ok_or(Stop::CpuLimit(self.limit))
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn spin(time: Duration) {
        let start = thread_cpu_time();
        while thread_cpu_time().saturating_sub(start) < time {}
    }

    #[test]
    fn the_limit_is_cpu_time() {
        let limit = Duration::from_millis(20);
        let mut clock = CpuClock::new(limit);
        assert_eq!(clock.check(), Ok(limit));
        // What other threads use does not count.
        let other = thread::spawn(|| spin(Duration::from_millis(40)));
        assert!(other.join().is_ok());
        assert!(clock.check().is_ok());
        spin(limit);
        assert_eq!(clock.check(), Err(Stop::CpuLimit(limit)));
    }
}
