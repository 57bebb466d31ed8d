//! When the CPU clock is looked at: one thread for the process interrupts guest calls that take long.
//!
//! It decides nothing: at every tick it asks each isolate whose call has been running since the tick before to look
//! at its own clock, on its own thread. So no call can be ended by a decision about another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the calls are looked at.
const TICK: Duration = Duration::from_millis(10);

/// What a thread says of its guest calls. Written by that thread, but for `asked`.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How many calls have begun and ended; odd while one is running.
    calls: AtomicU64,
    /// Whether an interruption is on its way.
    asked: AtomicBool,
}

/// How an isolate is interrupted.
pub(super) trait Interrupt: Send {
    /// Has the isolate look at its clock when its guest next looks for interruptions.
    fn interrupt(&self);
}

/// Keeps an isolate watched.
pub(super) struct Watched(Arc<Watch>);

struct Entry {
    watch: Arc<Watch>,
    isolate: Box<dyn Interrupt>,
    /// The number of calls at the last tick.
    seen: u64,
}

#[derive(Default)]
struct Watchdog {
    entries: Vec<Entry>,
    running: bool,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog { entries: Vec::new(), running: false });

// === impl Watch ===

impl Watch {
    #[inline]
    pub(super) fn begin(&self) {
        self.step();
    }

    #[inline]
    pub(super) fn end(&self) {
        self.step();
    }

    /// There is one writer, so that a load and a store will do.
    #[inline]
    fn step(&self) {
        self.calls.store(self.calls.load(Relaxed).wrapping_add(1), Relaxed);
    }

    pub(super) fn interrupted(&self) {
        self.asked.store(false, Relaxed);
    }
}

// === impl Watched ===

impl Watched {
    /// Watches an isolate, and starts the thread for the first.
    pub(super) fn start(watch: Arc<Watch>, isolate: Box<dyn Interrupt>) -> std::io::Result<Self> {
        let mut watchdog = lock();
        if !watchdog.running {
            thread::Builder::new().name("wasm-v8-clock".to_owned()).spawn(run)?;
            watchdog.running = true;
        }
        watchdog.entries.push(Entry { watch: Arc::clone(&watch), isolate, seen: 0 });
        Ok(Self(watch))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock().entries.retain(|entry| !Arc::ptr_eq(&entry.watch, &self.0));
    }
}

// === impl Entry ===

impl Entry {
    fn tick(&mut self) {
        let calls = self.watch.calls.load(Relaxed);
        let is_long = calls % 2 == 1 && calls == self.seen;
        self.seen = calls;
        if is_long && !self.watch.asked.swap(true, Relaxed) {
            self.isolate.interrupt();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this thread is no worker; sleeping is its work")]
fn run() {
    loop {
        thread::sleep(TICK);
        let mut watchdog = lock();
        if watchdog.entries.is_empty() {
            watchdog.running = false;
            return;
        }
        watchdog.entries.iter_mut().for_each(Entry::tick);
    }
}

fn lock() -> MutexGuard<'static, Watchdog> {
    // Entries are added and removed whole: nothing that a panic could leave half done.
    WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count(Arc<AtomicU64>);

    impl Interrupt for Count {
        fn interrupt(&self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn only_a_call_that_lasts_is_interrupted() {
        let (watch, count) = (Arc::<Watch>::default(), Arc::<AtomicU64>::default());
        let mut entry = Entry { watch: Arc::clone(&watch), isolate: Box::new(Count(Arc::clone(&count))), seen: 0 };
        entry.tick();
        watch.begin();
        entry.tick();
        watch.end();
        watch.begin();
        entry.tick();
        assert_eq!(count.load(Relaxed), 0, "another call than at the tick before");
        entry.tick();
        entry.tick();
        assert_eq!(count.load(Relaxed), 1, "not again before the first has arrived");
        watch.interrupted();
        entry.tick();
        assert_eq!(count.load(Relaxed), 2);
        watch.end();
        watch.interrupted();
        entry.tick();
        assert_eq!(count.load(Relaxed), 2);
    }
}
