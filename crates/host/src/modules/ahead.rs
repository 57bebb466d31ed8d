//! Modules that are compiled on other threads before the main thread comes to need them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use bytes::Bytes;
use sandgate_vm::{Engine, LoadError, Module};

use crate::VmHost;
use crate::shared::space::locked;

/// What came of a module: made by whoever asks first, while others wait.
pub(super) type Outcome = OnceLock<Result<Arc<dyn Module<VmHost>>, LoadError>>;

/// A module to compile.
pub(super) struct Job {
    pub(super) engine: Arc<dyn Engine<VmHost>>,
    pub(super) code: Bytes,
    pub(super) outcome: Arc<Outcome>,
}

/// Threads that compile. Dropping this stops them after what each is at.
pub(super) struct Compilers {
    stop: Arc<AtomicBool>,
}

impl Job {
    pub(super) fn run(&self) -> Result<Arc<dyn Module<VmHost>>, LoadError> {
        self.outcome.get_or_init(|| self.engine.compile(&self.code)).clone()
    }
}

// === impl Compilers ===

impl Compilers {
    /// Starts as many threads as there are processors, but no more than jobs. What cannot start leaves its work to the others, and to
    /// whoever needs the module.
    pub(super) fn start(jobs: Vec<Job>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(jobs.len());
        let jobs = Arc::new(Mutex::new(VecDeque::from(jobs)));
        for _ in 0..threads {
            let (jobs, stop) = (Arc::clone(&jobs), Arc::clone(&stop));
            let compile = move || {
                while let (false, Some(job)) = (stop.load(Relaxed), next(&jobs)) {
                    // Who asks for it is told why it failed.
                    let _ = job.run();
                }
            };
            let _ = thread::Builder::new().name("wasm-compile".to_owned()).spawn(compile);
        }
        Self { stop }
    }
}

impl Drop for Compilers {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

fn next(jobs: &Mutex<VecDeque<Job>>) -> Option<Job> {
    locked(jobs).pop_front()
}
