//! The way of a listener from what it waits for to the workers.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model;
use tokio::sync::oneshot;

use super::draft::ChainDraft;
use super::entry::{Entry, MainChain};
use super::{ListenerCounts, ListenerManager};
use crate::listener_tls::{ListenerTls, Reloadable, keep_fresh};
use crate::server::StartError;
use crate::server::thread::WorkerCommand;
use crate::server::unit::ListenerUnit;
use crate::worker::guarded;

impl ListenerManager {
    /// Waits for what the listener needs, has the workers make it, and puts it in the place of the version before.
    pub(super) async fn warm(self: Rc<Self>, id: u64, config: Arc<model::Listener>, drafts: Vec<ChainDraft>) {
        let mut chains = Vec::with_capacity(drafts.len());
        for draft in drafts {
            chains.push(draft.finish(&self.context).await);
        }
        let units = chains.iter().map(|chain| Arc::clone(&chain.unit)).collect();
        let unit = Arc::new(ListenerUnit { id, config, chains: units });
        let prepared = self.prepare(&unit).await;
        let name = unit.config.name.clone();
        let warming = {
            let mut all = self.warming.borrow_mut();
            if all.get(&name).is_none_or(|warming| warming.id != id) {
                return;
            }
            all.remove(&name)
        };
        let Some(mut warming) = warming else { return };
        // This is it: it must not end itself.
        warming.task.get_mut().take();
        if let Err(error) = prepared {
            log::error!(target: "config", "listener '{name}' cannot be made: {error}");
            if warming.is_static() {
                self.failed.borrow_mut().get_or_insert(error);
            }
            self.note_change();
            return;
        }
        let source = warming.source.borrow().clone();
        let (order, bound) = (id, Rc::clone(&warming.bound));
        self.activate(Entry { order, unit, chains, address: bound.address, bound: Some(bound), source });
    }

    /// Has all workers make a listener; if one cannot, none has it.
    pub(super) async fn prepare(&self, unit: &Arc<ListenerUnit>) -> Result<(), StartError> {
        let workers = &self.context.workers;
        let mut answers = Vec::with_capacity(workers.count());
        workers.each(|| {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            WorkerCommand::Prepare(Arc::clone(unit), answer)
        });
        let mut result = Ok(());
        for answer in answers {
            let made = answer.await.unwrap_or(Err(StartError::Died));
            let counts = &self.context.counts;
            ListenerCounts::add(if made.is_ok() { &counts.created } else { &counts.create_failed }, 1);
            if result.is_ok() {
                result = made;
            }
        }
        if result.is_err() {
            self.give_up(unit.id);
        }
        result
    }

    /// Takes connections on a listener that all workers have, and drains the version before.
    fn activate(self: &Rc<Self>, mut entry: Entry) {
        let name = entry.unit.config.name.clone();
        let before = self.active.borrow_mut().remove(&name);
        if let Some(before) = &before {
            entry.order = before.order;
        }
        let of_stopped = self.stopped.get().is_some_and(|direction| entry.is_stopped_by(direction));
        if of_stopped {
            entry.bound = None;
        }
        if self.started.get()
            && let Err(error) = self.listen(&entry)
        {
            log::error!(target: "config", "listener '{name}' cannot listen: {error}");
            ListenerCounts::add(&self.context.counts.create_failed, 1);
        }
        self.watch_files(&entry.chains, before.as_ref());
        if let Some(before) = before {
            self.replace(before, &entry);
        }
        log::info!(target: "config", "all dependencies of listener '{name}' are initialized, it listens");
        self.active.borrow_mut().insert(name, entry);
        self.note_change();
    }

    /// Looks after the files of chains that are new.
    fn watch_files(&self, chains: &[Rc<MainChain>], before: Option<&Entry>) {
        let is_new = |chain: &&Rc<MainChain>| {
            before.is_none_or(|before| !before.chains.iter().any(|known| Rc::ptr_eq(known, chain)))
        };
        let tls = chains.iter().filter(is_new).filter_map(|chain| chain.unit.tls.as_ref());
        let files: Vec<_> = tls
            .inspect(|tls| self.context.tls.add(tls))
            .map(|tls| Arc::<ListenerTls>::clone(tls) as Arc<dyn Reloadable>)
            .collect();
        if !files.is_empty() {
            let fresh = keep_fresh(files, Arc::clone(&self.context.shared.stats));
            tokio::task::spawn_local(guarded("certificate watcher", fresh));
        }
    }
}
