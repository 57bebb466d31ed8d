//! CPU limits: one ticker for the process, and the thread's CPU clock read at ticks only.
//!
//! A call sets a deadline of one tick and reads no clock. If it is still running at the next tick, that
//! reads the thread's CPU clock as the baseline and the deadline moves to where the limit would be used up;
//! there the clock decides, because ticks are wall time and the thread may have been descheduled. So a call
//! may use up to two ticks more than its limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, UpdateDeadline};

use crate::guest::Stop;

/// How often the epoch advances.
const TICK: Duration = Duration::from_millis(10);

/// Advances the engine's epoch while instances exist.
pub(super) struct Ticker {
    engine: Engine,
    state: Mutex<TickerState>,
}

#[derive(Default)]
struct TickerState {
    instances: usize,
    running: bool,
}

/// Keeps the ticker going.
pub(super) struct Ticking(Arc<Ticker>);

/// The CPU time of the call that is running.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuClock {
    limit: Duration,
    /// The thread's CPU time at the first tick within the call.
    baseline: Option<Duration>,
}

// === impl Ticker ===

impl Ticker {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, state: Mutex::default() }
    }

    /// Counts an instance, and starts the thread for the first.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<Ticking> {
        let mut state = self.lock();
        if !state.running {
            let ticker = Arc::clone(self);
            thread::Builder::new().name("wasm-epoch".to_owned()).spawn(move || ticker.run())?;
            state.running = true;
        }
        state.instances = state.instances.saturating_add(1);
        Ok(Ticking(Arc::clone(self)))
    }

    #[expect(clippy::disallowed_methods, reason = "this thread is no worker; sleeping is its work")]
    fn run(&self) {
        loop {
            thread::sleep(TICK);
            self.engine.increment_epoch();
            let mut state = self.lock();
            if state.instances == 0 {
                state.running = false;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, TickerState> {
        // Two numbers: nothing that a panic could leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.instances = state.instances.saturating_sub(1);
    }
}

// === impl CpuClock ===

impl CpuClock {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, baseline: None }
    }

    /// The guest is still running at its deadline: how many ticks it gets, if any.
    pub(super) fn at_deadline(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = thread_cpu_time();
        let used = match self.baseline {
            Some(baseline) => now.saturating_sub(baseline),
            None => {
                self.baseline = Some(now);
                Duration::ZERO
            }
        };
        match self.limit.checked_sub(used) {
            Some(left) if !left.is_zero() => Ok(UpdateDeadline::Continue(ticks(left))),
            _ => Err(Stop::CpuLimit(self.limit).into()),
        }
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX >> 1).clamp(1, u64::MAX >> 1)
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "a failed test may panic")]

    use super::*;

    fn spin(time: Duration) {
        let start = thread_cpu_time();
        while thread_cpu_time().saturating_sub(start) < time {}
    }

    #[test]
    fn ticks_round_up_and_are_never_zero() {
        assert_eq!(ticks(Duration::from_nanos(1)), 1);
        assert_eq!(ticks(TICK), 1);
        assert_eq!(ticks(TICK + Duration::from_nanos(1)), 2);
        assert_eq!(ticks(Duration::MAX), u64::MAX >> 1);
    }

    #[test]
    fn the_limit_is_cpu_time() {
        let mut clock = CpuClock::new(Duration::from_millis(20));
        assert!(matches!(clock.at_deadline(), Ok(UpdateDeadline::Continue(2))));
        // What other threads use does not count.
        let other = thread::spawn(|| spin(Duration::from_millis(40)));
        assert!(other.join().is_ok());
        assert!(matches!(clock.at_deadline(), Ok(UpdateDeadline::Continue(1..=2))));
        spin(Duration::from_millis(20));
        let Err(error) = clock.at_deadline() else { panic!("the limit was used up") };
        assert!(matches!(error.downcast_ref(), Some(Stop::CpuLimit(limit)) if limit.as_millis() == 20));
    }

    #[test]
    fn the_thread_ends_with_the_last_instance() {
        let ticker = Arc::new(Ticker::new(Engine::default()));
        let first = ticker.start().ok();
        assert!(first.is_some() && ticker.lock().running);
        drop(first);
        while ticker.lock().running {
            thread::yield_now();
        }
        assert!(ticker.start().is_ok(), "and starts again");
    }
}
