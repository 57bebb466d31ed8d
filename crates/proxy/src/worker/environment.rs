//! What the Wasm host gets of a worker: clocks, timers and callouts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sandgate_host::{Callouts, Environment, WorkerHost};
use tokio::sync::Notify;

use crate::callouts::WorkerCallouts;

/// The clocks and the bell of one worker.
pub(crate) struct WorkerEnvironment {
    started: Instant,
    bell: Arc<Bell>,
    node: Bytes,
    name: String,
    callouts: RefCell<Option<Rc<WorkerCallouts>>>,
}

#[derive(Debug, Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Runs ticks and what other threads send to this worker's plugins.
pub(crate) struct HostTask {
    host: Rc<WorkerHost>,
    environment: Rc<WorkerEnvironment>,
}

impl WorkerEnvironment {
    /// Of the thread of that name.
    pub(crate) fn new(node: Bytes, name: &str) -> Rc<Self> {
        Rc::new(Self {
            started: Instant::now(),
            bell: Arc::default(),
            node,
            name: name.to_owned(),
            callouts: RefCell::default(),
        })
    }

    /// From now on plugins can send requests.
    pub(crate) fn set_callouts(&self, callouts: Rc<WorkerCallouts>) {
        *self.callouts.borrow_mut() = Some(callouts);
    }

    /// The event loop ends: plugins can send nothing any more.
    pub(crate) fn end_callouts(&self) {
        if let Some(callouts) = &*self.callouts.borrow() {
            callouts.end();
        }
    }
}

impl Environment for WorkerEnvironment {
    fn realtime_ns(&self) -> u64 {
        nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn monotonic_ns(&self) -> u64 {
        nanos(self.started.elapsed())
    }

    fn timers_changed(&self) {
        self.bell.0.notify_one();
    }

    fn remote_waker(&self) -> Option<Waker> {
        Some(Waker::from(Arc::clone(&self.bell)))
    }

    fn thread_cpu_ns(&self) -> Option<u64> {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).ok().map(nanos)
    }

    fn worker_name(&self) -> String {
        self.name.clone()
    }

    fn callouts(&self) -> Option<Rc<dyn Callouts>> {
        let callouts = Rc::clone(self.callouts.borrow().as_ref()?);
        Some(callouts)
    }

    fn node(&self) -> Option<Bytes> {
        Some(self.node.clone())
    }
}

impl HostTask {
    pub(crate) fn new(host: Rc<WorkerHost>, environment: Rc<WorkerEnvironment>) -> Self {
        Self { host, environment }
    }

    /// Never ends.
    pub(crate) async fn run(self) {
        loop {
            let bell = self.environment.bell.0.notified();
            match self.host.next_deadline() {
                Some(deadline) => {
                    let deadline = self.environment.started + Duration::from_nanos(deadline);
                    let _ = tokio::time::timeout_at(deadline.into(), bell).await;
                }
                None => bell.await,
            }
            self.host.drain();
            self.host.run_due(self.environment.monotonic_ns());
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
