//! The worker threads, as the main loop sees them.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use super::{MainCommand, Shared};
use crate::cluster::{Host, PrioritySet};
use crate::server::StartError;
use crate::server::plugins::Plugins;
use crate::server::thread::{self, WorkerCommand};

/// The way to all workers. What is told to one that is gone is lost.
#[derive(Clone, Debug)]
pub(in crate::server) struct WorkerSenders(Rc<[UnboundedSender<WorkerCommand>]>);

impl WorkerSenders {
    pub(in crate::server) fn count(&self) -> usize {
        self.0.len()
    }

    /// Tells all of them.
    pub(in crate::server) fn each(&self, mut command: impl FnMut() -> WorkerCommand) {
        self.0.iter().for_each(|worker| drop(worker.send(command())));
    }

    /// Tells each of its own.
    pub(in crate::server) fn each_with<T>(&self, own: Vec<T>, mut command: impl FnMut(T) -> WorkerCommand) {
        self.0.iter().zip(own).for_each(|(worker, own)| drop(worker.send(command(own))));
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
        main: UnboundedSender<MainCommand>,
    ) -> Result<Self, StartError> {
        let (ready, readiness) = mpsc::channel();
        let mut workers = Self { threads: Vec::with_capacity(count) };
        for index in 0..count {
            let name = format!("wrk:worker_{index}");
            let (commands, inbox) = tokio::sync::mpsc::unbounded_channel();
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

    /// Who else may tell the workers something.
    pub(super) fn senders(&self) -> WorkerSenders {
        WorkerSenders(self.threads.iter().map(|thread| thread.commands.clone()).collect())
    }

    /// Tells every worker of a cluster's hosts.
    pub(super) fn update(&self, cluster: usize, hosts: &Arc<PrioritySet>) {
        for thread in &self.threads {
            let _ = thread.commands.send(WorkerCommand::Hosts(cluster, Arc::clone(hosts)));
        }
    }

    /// Tells every worker that a host was found unhealthy.
    pub(super) fn host_failed(&self, cluster: usize, host: &Arc<Host>) {
        for thread in &self.threads {
            let _ = thread.commands.send(WorkerCommand::HostFailed(cluster, Arc::clone(host)));
        }
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
