//! When the CPU clock is looked at: one ticker for the process.
//!
//! A call sets a deadline of one tick. If it is still running at the next, the clock begins and the deadline moves to
//! where the limit would be used up; there the clock decides. So a call may use up to two ticks more than its limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, UpdateDeadline};

use crate::cpu::CpuClock;

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

/// The guest is still running at its deadline: how many ticks it gets, if any.
pub(super) fn at_deadline(clock: &mut CpuClock) -> wasmtime::Result<UpdateDeadline> {
    Ok(UpdateDeadline::Continue(ticks(clock.check()?)))
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX >> 1).clamp(1, u64::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_round_up_and_are_never_zero() {
        assert_eq!(ticks(Duration::from_nanos(1)), 1);
        assert_eq!(ticks(TICK), 1);
        assert_eq!(ticks(TICK + Duration::from_nanos(1)), 2);
        assert_eq!(ticks(Duration::MAX), u64::MAX >> 1);
    }

    #[test]
    fn the_deadline_moves_to_the_limit() {
        let mut clock = CpuClock::new(Duration::from_millis(20));
        assert!(matches!(at_deadline(&mut clock), Ok(UpdateDeadline::Continue(2))));
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
