//! The worker threads, as the main loop sees them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use super::{MainCommand, Shared};
use crate::server::StartError;
use crate::server::plugins::Plugins;
use crate::server::thread::{self, WorkerCommand};

/// The way to all workers. What is told to one that is gone is lost, and so is what is told before there are any: they find it when
/// they start.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct WorkerSenders(Rc<RefCell<Vec<UnboundedSender<WorkerCommand>>>>);

impl WorkerSenders {
    pub(in crate::server) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Tells all of them.
    pub(in crate::server) fn each(&self, mut command: impl FnMut() -> WorkerCommand) {
        self.0.borrow().iter().for_each(|worker| drop(worker.send(command())));
    }

    /// Tells each of its own.
    pub(in crate::server) fn each_with<T>(&self, own: Vec<T>, mut command: impl FnMut(T) -> WorkerCommand) {
        self.0.borrow().iter().zip(own).for_each(|(worker, own)| drop(worker.send(command(own))));
    }
}

/// All workers.
pub(super) struct Workers {
    threads: Vec<WorkerThread>,
}

struct WorkerThread {
    name: String,
    commands: UnboundedSender<WorkerCommand>,
    handle: Option<JoinHandle<()>>,
    done: bool,
}

impl Workers {
    /// Starts `count` workers and waits until each has prepared everything.
    pub(super) fn start(
        shared: &Arc<Shared>,
        plugins: &Arc<Plugins>,
        count: usize,
        senders: &WorkerSenders,
        main: UnboundedSender<MainCommand>,
    ) -> Result<Self, StartError> {
        let (ready, readiness) = mpsc::channel();
        let mut workers = Self { threads: Vec::with_capacity(count) };
        for index in 0..count {
            let name = format!("wrk:worker_{index}");
            let (commands, inbox) = tokio::sync::mpsc::unbounded_channel();
            senders.0.borrow_mut().push(commands.clone());
            let (ready, main, thread_name) = (ready.clone(), main.clone(), name.clone());
            let shared = (Arc::clone(shared), Arc::clone(plugins));
            let handle = std::thread::Builder::new()
                .name(name.clone())
                .spawn(move || thread::run(thread_name, shared, inbox, ready, &main))
                .map_err(StartError::Thread)?;
            workers.threads.push(WorkerThread { name, commands, handle: Some(handle), done: false });
        }
        drop(ready);
        for _ in 0..count {
            // On an error the workers are dropped, which ends them.
            readiness.recv().map_err(|_| StartError::Died)??;
        }
        Ok(workers)
    }

    pub(super) fn drain(&self) {
        for thread in &self.threads {
            let _ = thread.commands.send(WorkerCommand::Drain);
        }
    }

    /// A worker has ended.
    pub(super) fn done(&mut self, name: &str) {
        self.threads.iter_mut().filter(|thread| thread.name == name).for_each(|thread| thread.done = true);
    }

    pub(super) fn all_done(&self) -> bool {
        self.threads.iter().all(|thread| thread.done)
    }

    /// Ends every worker now.
    pub(super) fn stop(&mut self) {
        for thread in &self.threads {
            let _ = thread.commands.send(WorkerCommand::Stop);
        }
        for thread in &mut self.threads {
            if let Some(handle) = thread.handle.take() {
                // A panic was reported by the thread itself.
                let _ = handle.join();
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}
