//! CPU limits: one thread for the process ends guest calls that have used up theirs.
//!
//! WAMR has no way to look at a clock within a call, so another thread looks, at the clock of the thread that makes the
//! call. Between its look and its stop the call may end and another begin. So calls are numbered, and a stop is of one
//! call: to stop is to change its number first, which a call that ends sees.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the calls are looked at.
const TICK: Duration = Duration::from_millis(10);

/// The lowest two bits of a call's number.
const PHASE: u64 = 3;
const IDLE: u64 = 0;
const RUNNING: u64 = 1;
/// The watchdog is about to stop the call, or at it: its instance must stay.
const STOPPING: u64 = 2;
const STOPPED: u64 = 3;

/// The call of an instance, and its limit.
#[derive(Debug)]
struct Watch {
    /// Changed by the instance's thread, and by the watchdog from running to stopping to stopped.
    call: AtomicU64,
    /// CPU time in nanoseconds; written before the call begins.
    limit: AtomicU64,
}

/// How the call of an instance is ended by another thread.
pub(super) trait Terminate: Send {
    /// Ends it. The instance is there.
    fn terminate(&self);
}

/// An instance that is watched.
pub(super) struct Watched {
    watch: Arc<Watch>,
    number: u64,
}

/// The CPU clock of a thread.
#[derive(Clone, Copy)]
struct ThreadClock(libc::clockid_t);

struct Entry {
    watch: Arc<Watch>,
    instance: Box<dyn Terminate>,
    clock: ThreadClock,
    /// The call at the last tick, and what the clock said when it was first seen.
    seen: u64,
    baseline: Duration,
}

#[derive(Default)]
struct Watchdog {
    entries: HashMap<u64, Entry>,
    next: u64,
    running: bool,
}

static WATCHDOG: Mutex<Option<Watchdog>> = Mutex::new(None);

// === impl Watch ===

impl Watch {
    #[inline]
    fn begin(&self, limit: Duration) {
        self.limit.store(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let number = (self.call.load(Ordering::Relaxed) & !PHASE).wrapping_add(PHASE + 1);
        self.call.store(number | RUNNING, Ordering::Release);
    }

    /// Whether the watchdog has stopped the call.
    #[inline]
    fn end(&self) -> bool {
        let number = self.call.load(Ordering::Relaxed) & !PHASE;
        let ended =
            self.call.compare_exchange(number | RUNNING, number | IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !ended {
            self.await_stop(number);
        }
        !ended
    }

    #[cold]
    fn await_stop(&self, number: u64) {
        while self.call.load(Ordering::Acquire) & PHASE != STOPPED {
            thread::yield_now();
        }
        self.call.store(number | IDLE, Ordering::Release);
    }
}

// === impl Watched ===

impl Watched {
    /// Watches an instance of this thread, and starts the watchdog for the first.
    pub(super) fn start(instance: Box<dyn Terminate>) -> std::io::Result<Self> {
        let clock = ThreadClock::of_this_thread()?;
        let watch = Arc::new(Watch { call: AtomicU64::new(IDLE), limit: AtomicU64::new(0) });
        let mut guard = lock();
        let watchdog = guard.get_or_insert_default();
        if !watchdog.running {
            thread::Builder::new().name("wasm-wamr-clock".to_owned()).spawn(run)?;
            watchdog.running = true;
        }
        watchdog.next += 1;
        let number = watchdog.next;
        let entry = Entry { watch: Arc::clone(&watch), instance, clock, seen: 0, baseline: Duration::ZERO };
        watchdog.entries.insert(number, entry);
        Ok(Self { watch, number })
    }

    /// A call begins, which may use so much CPU time.
    #[inline]
    pub(super) fn begin(&self, limit: Duration) {
        self.watch.begin(limit);
    }

    /// It has ended: whether by the watchdog.
    #[inline]
    pub(super) fn end(&self) -> bool {
        self.watch.end()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(watchdog) = lock().as_mut() {
            watchdog.entries.remove(&self.number);
        }
    }
}

// === impl Entry ===

impl Entry {
    fn tick(&mut self, now: impl FnOnce(ThreadClock) -> Option<Duration>) {
        let call = self.watch.call.load(Ordering::Acquire);
        if call & PHASE != RUNNING {
            return;
        }
        let Some(now) = now(self.clock) else { return };
        if call != self.seen {
            (self.seen, self.baseline) = (call, now);
            return;
        }
        let limit = Duration::from_nanos(self.watch.limit.load(Ordering::Relaxed));
        if now.saturating_sub(self.baseline) < limit {
            return;
        }
        let stopping = call & !PHASE | STOPPING;
        if self.watch.call.compare_exchange(call, stopping, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.instance.terminate();
            self.watch.call.store(call & !PHASE | STOPPED, Ordering::Release);
        }
    }
}

// === impl ThreadClock ===

impl ThreadClock {
    fn of_this_thread() -> std::io::Result<Self> {
        let mut clock = 0;
        // SAFETY: the thread lives, and there is room for the answer.
        match unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) } {
            0 => Ok(Self(clock)),
            error => Err(std::io::Error::from_raw_os_error(error)),
        }
    }

    /// The thread's CPU time, unless it has ended.
    fn now(self) -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: there is room for the answer; a clock that is none is an error.
        let known = unsafe { libc::clock_gettime(self.0, &raw mut time) } == 0;
        known.then(|| Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0)))
    }
}

#[expect(clippy::disallowed_methods, reason = "this thread is no worker; sleeping is its work")]
fn run() {
    loop {
        thread::sleep(TICK);
        let mut guard = lock();
        let watchdog = guard.get_or_insert_default();
        if watchdog.entries.is_empty() {
            watchdog.running = false;
            return;
        }
        watchdog.entries.values_mut().for_each(|entry| entry.tick(ThreadClock::now));
    }
}

fn lock() -> MutexGuard<'static, Option<Watchdog>> {
    // Entries are added and removed whole: nothing that a panic could leave half done.
    WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    struct Count(Arc<AtomicU64>);

    impl Terminate for Count {
        fn terminate(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn watched() -> (Arc<Watch>, Entry, Arc<AtomicU64>) {
        let watch = Arc::new(Watch { call: AtomicU64::new(IDLE), limit: AtomicU64::new(0) });
        let count = Arc::<AtomicU64>::default();
        let entry = Entry {
            watch: Arc::clone(&watch),
            instance: Box::new(Count(Arc::clone(&count))),
            clock: ThreadClock::of_this_thread().unwrap(),
            seen: 0,
            baseline: Duration::ZERO,
        };
        (watch, entry, count)
    }

    fn at(seconds: u64) -> impl FnOnce(ThreadClock) -> Option<Duration> {
        move |_| Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_call_ends_when_it_has_used_its_time() {
        let (watch, mut entry, count) = watched();
        watch.begin(Duration::from_secs(2));
        entry.tick(at(100));
        entry.tick(at(101));
        assert_eq!(count.load(Ordering::Relaxed), 0);
        entry.tick(at(102));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        entry.tick(at(103));
        assert_eq!(count.load(Ordering::Relaxed), 1, "once");
        assert!(watch.end());
        entry.tick(at(200));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_one_call_used_is_not_charged_to_the_next() {
        let (watch, mut entry, count) = watched();
        for second in 0..9 {
            watch.begin(Duration::from_secs(1));
            entry.tick(at(second));
            assert!(!watch.end());
        }
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_stop_that_comes_late_does_not_hit_the_next_call() {
        let (watch, mut entry, count) = watched();
        watch.begin(Duration::ZERO);
        entry.tick(at(1));
        // Between the watchdog's look and its stop the call ends and another begins.
        let next = Arc::clone(&watch);
        entry.tick(move |_| {
            assert!(!next.end());
            next.begin(Duration::ZERO);
            Some(Duration::from_secs(9))
        });
        assert_eq!(count.load(Ordering::Relaxed), 0);
        assert!(!watch.end());
    }

    #[test]
    fn the_clock_is_that_of_the_thread() {
        let clock = ThreadClock::of_this_thread().unwrap();
        let before = clock.now().unwrap();
        let seen = thread::spawn(move || clock.now().unwrap()).join().unwrap();
        assert!(seen >= before && seen <= clock.now().unwrap());
    }
}
