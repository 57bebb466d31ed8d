//! Modules that are compiled on other threads before the main thread comes to need them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use bytes::Bytes;
use rayon::{ThreadPool, ThreadPoolBuilder};
use sandgate_vm::{Engine, LoadError, Module};

use crate::VmHost;
use crate::keys::CodeHash;
use crate::shared::space::locked;

/// What came of a module: made by whoever asks first, while others wait.
pub(super) type Outcome = OnceLock<Result<Arc<dyn Module<VmHost>>, LoadError>>;

/// A module to compile.
pub(super) struct Job {
    pub(super) engine: Arc<dyn Engine<VmHost>>,
    pub(super) code: Bytes,
    pub(super) outcome: Arc<Outcome>,
}

/// A module that a thread will compile when it comes to that. Its code is read then, so that the code of many need not be kept.
pub(super) struct Waiting {
    pub(super) engine: Arc<dyn Engine<VmHost>>,
    pub(super) read: Box<dyn Fn() -> Bytes + Send>,
    pub(super) hash: CodeHash,
    pub(super) outcome: Arc<Outcome>,
}

/// Threads that compile. Dropping this stops them after what each is at.
pub(super) struct Compilers {
    stop: Arc<AtomicBool>,
    pool: Option<Arc<ThreadPool>>,
}

// === impl Job ===

impl Job {
    /// Compiles with the threads of `pool`, or else with those that the process keeps for that.
    pub(super) fn run(&self, pool: Option<&ThreadPool>) -> Result<Arc<dyn Module<VmHost>>, LoadError> {
        let compile = || self.engine.compile(&self.code);
        // No thread of the pool may wait here: it might wait for what it has begun itself, further down on its stack.
        self.outcome.get_or_init(|| pool.map_or_else(compile, |pool| pool.install(compile))).clone()
    }
}

// === impl Waiting ===

impl Waiting {
    fn run(self, pool: Option<&ThreadPool>) {
        if self.outcome.get().is_some() {
            return;
        }
        let code = (self.read)();
        // If it is another one by now, it is not the module that will be asked for.
        if CodeHash::of(&code) == self.hash {
            // Who asks for it is told why it failed.
            let _ = Job { engine: self.engine, code, outcome: self.outcome }.run(pool);
        }
    }
}

// === impl Compilers ===

impl Compilers {
    /// Starts as many threads as there are processors, but no more than jobs. What cannot start leaves its work to the others, and to
    /// whoever needs the module.
    pub(super) fn start(jobs: Vec<Waiting>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // Threads of its own: what a compiler leaves behind in a thread's heap is given back when the thread ends.
        let pool = ThreadPoolBuilder::new().num_threads(processors).thread_name(|_| "wasm-compile".to_owned()).build();
        let pool = pool.ok().map(Arc::new);
        let threads = processors.min(jobs.len());
        let jobs = Arc::new(Mutex::new(VecDeque::from(jobs)));
        for _ in 0..threads {
            let (jobs, stop, pool) = (Arc::clone(&jobs), Arc::clone(&stop), pool.clone());
            let compile = move || {
                while let (false, Some(job)) = (stop.load(Relaxed), next(&jobs)) {
                    job.run(pool.as_deref());
                }
            };
            let _ = thread::Builder::new().name("wasm-compile".to_owned()).spawn(compile);
        }
        Self { stop, pool }
    }

    pub(super) fn pool(&self) -> Option<Arc<ThreadPool>> {
        self.pool.clone()
    }
}

impl Drop for Compilers {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

fn next(jobs: &Mutex<VecDeque<Waiting>>) -> Option<Waiting> {
    locked(jobs).pop_front()
}
