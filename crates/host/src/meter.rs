//! What a plugin does on one thread, counted for who looks at it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use sandgate_abi::CallbackKind;

use crate::explain::FailedCalls;
use crate::report::{CallbackReport, TrapReport, WorkerReport};
use crate::shared::space::locked;
use crate::{Environment, FailurePolicy, Fault};

/// Of so many calls of one kind one is timed: a reading of a thread's clock costs more than a call into a guest. The first
/// is timed, too, and stands for itself alone: it finds everything cold.
const SAMPLED: u64 = 64;

/// One plugin on one thread, over all its instances there. Written by that thread alone, with plain relaxed stores, and
/// read by anybody.
#[derive(Debug)]
pub(crate) struct Meter {
    worker: String,
    callbacks: [CallbackMeter; CallbackKind::ALL.len()],
    memory: AtomicU64,
    memory_peak: AtomicU64,
    alive: AtomicBool,
    instances: AtomicU64,
    traps: AtomicU64,
    pub(crate) failed_calls: FailedCalls,
    last_trap: Mutex<Option<TrapReport>>,
    reload_success: AtomicU64,
    reload_failure: AtomicU64,
    reload_backoff: AtomicU64,
}

#[derive(Debug, Default)]
struct CallbackMeter {
    calls: AtomicU64,
    first_ns: AtomicU64,
    sampled: AtomicU64,
    sampled_ns: AtomicU64,
}

/// How an attempt to make a failed VM anew ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    Success,
    Failure,
    /// It was too early.
    Backoff,
}

fn add(value: &AtomicU64, more: u64) {
    value.store(value.load(Relaxed).wrapping_add(more), Relaxed);
}

// === impl Meter ===

impl Meter {
    pub(crate) fn new(worker: String) -> Arc<Self> {
        Arc::new(Self {
            worker,
            callbacks: std::array::from_fn(|_| CallbackMeter::default()),
            memory: AtomicU64::new(0),
            memory_peak: AtomicU64::new(0),
            alive: AtomicBool::new(false),
            instances: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            failed_calls: FailedCalls::default(),
            last_trap: Mutex::default(),
            reload_success: AtomicU64::new(0),
            reload_failure: AtomicU64::new(0),
            reload_backoff: AtomicU64::new(0),
        })
    }

    /// Counts a call; the thread's CPU time, if this one is to be timed.
    pub(crate) fn begin(&self, kind: CallbackKind, env: &dyn Environment) -> Option<u64> {
        let meter = self.callbacks.get(kind as usize)?;
        let calls = meter.calls.load(Relaxed);
        meter.calls.store(calls.wrapping_add(1), Relaxed);
        if calls == 0 || calls % SAMPLED == 1 { env.thread_cpu_ns() } else { None }
    }

    /// The call has returned, or trapped.
    pub(crate) fn end(&self, kind: CallbackKind, began: Option<u64>, memory: u64, env: &dyn Environment) {
        if memory != self.memory.load(Relaxed) {
            self.set_memory(memory);
        }
        let (Some(began), Some(meter)) = (began, self.callbacks.get(kind as usize)) else { return };
        let Some(now) = env.thread_cpu_ns() else { return };
        let took = now.saturating_sub(began);
        // A call that another one of its kind is in counts as the later one: there are few.
        if meter.calls.load(Relaxed) == 1 {
            meter.first_ns.store(took, Relaxed);
        } else {
            add(&meter.sampled, 1);
            add(&meter.sampled_ns, took);
        }
    }

    fn set_memory(&self, memory: u64) {
        self.memory.store(memory, Relaxed);
        self.memory_peak.store(self.memory_peak.load(Relaxed).max(memory), Relaxed);
    }

    /// A VM with so much memory was made for it, or shared with it.
    pub(crate) fn came_alive(&self, memory: u64) {
        self.set_memory(memory);
        self.alive.store(true, Relaxed);
        add(&self.instances, 1);
    }

    /// Its VM is gone.
    pub(crate) fn died(&self) {
        self.alive.store(false, Relaxed);
        self.memory.store(0, Relaxed);
    }

    /// Its guest trapped.
    pub(crate) fn trapped(&self, fault: &Fault, env: &dyn Environment) {
        add(&self.traps, 1);
        let backtrace = fault.backtrace.iter().map(ToString::to_string).collect();
        let report = TrapReport { message: fault.to_string(), backtrace, at_ns: env.realtime_ns() };
        *locked(&self.last_trap) = Some(report);
    }

    pub(crate) fn reloaded(&self, how: Reload) {
        match how {
            Reload::Success => add(&self.reload_success, 1),
            Reload::Failure => add(&self.reload_failure, 1),
            Reload::Backoff => add(&self.reload_backoff, 1),
        }
    }

    pub(crate) fn report(&self, policy: FailurePolicy, open: bool) -> WorkerReport {
        let alive = self.alive.load(Relaxed);
        WorkerReport {
            worker: self.worker.clone(),
            state: match (alive, policy) {
                (true, _) => "running",
                (false, FailurePolicy::FailReload) => "failed, reloads when used",
                (false, _) if open => "failed, open",
                (false, _) => "failed, closed",
            },
            instances: u64::from(alive),
            instances_created: self.instances.load(Relaxed),
            memory_bytes: self.memory.load(Relaxed),
            memory_peak_bytes: self.memory_peak.load(Relaxed),
            callbacks: self.callbacks().collect(),
            failed_calls: self.failed_calls.report(),
            traps: self.traps.load(Relaxed),
            last_trap: locked(&self.last_trap).clone(),
            reload_success: self.reload_success.load(Relaxed),
            reload_failure: self.reload_failure.load(Relaxed),
            reload_backoff: self.reload_backoff.load(Relaxed),
        }
    }

    fn callbacks(&self) -> impl Iterator<Item = CallbackReport> + '_ {
        CallbackKind::ALL.iter().zip(&self.callbacks).filter_map(|(kind, meter)| {
            let calls = meter.calls.load(Relaxed);
            let (sampled, ns) = (meter.sampled.load(Relaxed), meter.sampled_ns.load(Relaxed));
            let (first, average) = (meter.first_ns.load(Relaxed), ns.checked_div(sampled).unwrap_or(0));
            let cpu_ns = first.saturating_add(average.saturating_mul(calls.saturating_sub(1)));
            (calls != 0).then(|| CallbackReport { name: kind.export(), calls, cpu_ns: (cpu_ns != 0).then_some(cpu_ns) })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::cell::Cell;

    use sandgate_vm::{FaultKind, Frame};

    use super::*;

    /// A thread on which every reading of the clock takes a microsecond.
    #[derive(Default)]
    struct Clock(Cell<u64>);

    impl Environment for Clock {
        fn realtime_ns(&self) -> u64 {
            7
        }
        fn monotonic_ns(&self) -> u64 {
            0
        }
        fn timers_changed(&self) {}
        fn thread_cpu_ns(&self) -> Option<u64> {
            self.0.set(self.0.get() + 1000);
            Some(self.0.get())
        }
    }

    #[test]
    fn one_call_in_many_is_timed_and_stands_for_all() {
        let (meter, clock) = (Meter::new("w".to_owned()), Clock::default());
        for call in 0..=SAMPLED + 1 {
            if call == 1 {
                clock.0.set(0);
            }
            let began = meter.begin(CallbackKind::Log, &clock);
            meter.end(CallbackKind::Log, began, 65536, &clock);
        }
        // After the first, two were timed, each with two readings.
        assert_eq!(clock.0.get(), 4000);
        let report = meter.report(FailurePolicy::FailClosed, false);
        let calls = SAMPLED + 2;
        assert_eq!(report.callbacks, [CallbackReport { name: "proxy_on_log", calls, cpu_ns: Some(calls * 1000) }]);
        assert_eq!((report.memory_bytes, report.memory_peak_bytes), (65536, 65536));
    }

    #[test]
    fn the_peak_outlives_the_instance() {
        let (meter, clock) = (Meter::new("w".to_owned()), Clock::default());
        meter.came_alive(50);
        meter.end(CallbackKind::Log, None, 100, &clock);
        assert_eq!(meter.report(FailurePolicy::FailReload, false).state, "running");
        let frame = Frame { offset: Some(18), name: "deep".to_owned() };
        let kind = FaultKind::Trap("unreachable".to_owned());
        meter.trapped(&Fault { function: "f", callback: None, kind, backtrace: vec![frame] }, &clock);
        meter.died();
        let report = meter.report(FailurePolicy::FailReload, false);
        assert_eq!((report.memory_bytes, report.memory_peak_bytes, report.instances), (0, 100, 0));
        let message = "Function: f failed: unreachable".to_owned();
        let backtrace = vec!["0x12 - deep".to_owned()];
        assert_eq!(report.last_trap.unwrap(), TrapReport { message, backtrace, at_ns: 7 });
        assert_eq!((report.state, report.traps), ("failed, reloads when used", 1));
    }
}
