//! The listeners of a server, on the main thread: which there are, which are on their way, and which are drained.
//!
//! A listener goes through the same steps wherever it comes from. First everything that can be refused is done here, at once: its socket
//! is bound, its files are opened, its plugins run on the main thread. What it has to wait for (code, routes, secrets) it waits
//! for while what was there before serves on. Then every worker makes it, and when the last one has, it takes the place of the old one,
//! with the old one's socket if the address is the same.

mod counts;
mod draft;
mod entry;
mod lds;
mod parts;
mod retire;
mod update;
mod view;
mod warm;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model;
use sandgate_host::Environment;
use tokio::sync::Notify;

use self::draft::ChainDraft;
use self::entry::{Entry, ListenerSource, Warming};
use super::StartError;
use super::extensions::ExtensionManager;
use super::main_loop::Shared;
use super::main_loop::WorkerSenders;
use super::plugins::Plugins;
use super::routes::RouteManager;
use super::secrets::SecretManager;
use super::thread::{LocalWorker, WorkerCommand};
use crate::admin::{ListenerViews, ResourceView};
use crate::drain::DrainDirection;
use crate::lifecycle::Lifecycle;
use crate::listener::BoundListener;
use crate::listener_tls::TlsContexts;
use crate::worker::guarded;

pub(super) use self::counts::ListenerCounts;
pub(super) use self::lds::Lds;

/// What makes listeners needs.
pub(super) struct ListenerContext {
    pub(super) shared: Arc<Shared>,
    pub(super) local: Rc<LocalWorker>,
    pub(super) environment: Rc<dyn Environment>,
    pub(super) workers: WorkerSenders,
    pub(super) routes: Rc<RouteManager>,
    pub(super) extensions: Rc<ExtensionManager>,
    pub(super) secrets: Rc<SecretManager>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) counts: Arc<ListenerCounts>,
    /// For the admin interface.
    pub(super) views: Arc<ListenerViews>,
    /// The same.
    pub(super) tls: Arc<TlsContexts>,
}

/// All listeners.
pub(super) struct ListenerManager {
    context: ListenerContext,
    /// By name.
    active: RefCell<BTreeMap<String, Entry>>,
    warming: RefCell<BTreeMap<String, Warming>>,
    /// The last version of each listener that was refused, if none was taken since, and why.
    refused: RefCell<BTreeMap<String, (ResourceView, String)>>,
    /// Sockets of listeners that the update at work has taken away.
    removed: RefCell<Vec<(Arc<model::Listener>, Rc<BoundListener>)>>,
    next_id: Cell<u64>,
    /// Workers take connections.
    started: Cell<bool>,
    /// Listeners that `/drain_listeners` has stopped are not started again.
    stopped: Cell<Option<DrainDirection>>,
    /// Why a listener of the bootstrap could not be made.
    failed: RefCell<Option<StartError>>,
    changed: Notify,
}

// === impl ListenerManager ===

impl ListenerManager {
    pub(super) fn new(context: ListenerContext) -> Rc<Self> {
        // The numbers of static listeners are their places in the configuration.
        let first = context.shared.bootstrap.listeners.len() as u64;
        Rc::new(Self {
            context,
            active: RefCell::default(),
            warming: RefCell::default(),
            refused: RefCell::default(),
            removed: RefCell::default(),
            next_id: Cell::new(first),
            started: Cell::new(false),
            stopped: Cell::new(None),
            failed: RefCell::default(),
            changed: Notify::new(),
        })
    }

    /// Begins with a listener of the bootstrap, which is at `index` there and has that socket.
    pub(super) fn add_static(
        self: &Rc<Self>,
        index: usize,
        bound: BoundListener,
        plugins: &Arc<Plugins>,
    ) -> Result<(), StartError> {
        let Some(listener) = self.context.shared.bootstrap.listeners.get(index) else { return Ok(()) };
        check(listener)?;
        let chains = draft::static_drafts(&self.context, index, listener, plugins)?;
        ListenerCounts::add(&self.context.counts.added, 1);
        self.begin(index as u64, Arc::new(listener.clone()), Rc::new(bound), (ListenerSource::Static, chains));
        Ok(())
    }

    /// A listener is on its way.
    fn begin(
        self: &Rc<Self>,
        id: u64,
        config: Arc<model::Listener>,
        bound: Rc<BoundListener>,
        (source, chains): (ListenerSource, Vec<ChainDraft>),
    ) {
        let name = config.name.clone();
        let task = RefCell::default();
        let warming = Warming { id, config: Arc::clone(&config), bound, source: RefCell::new(source), task };
        if let Some(given_up) = self.warming.borrow_mut().insert(name.clone(), warming) {
            self.give_up(given_up.id);
        }
        let warm = guarded("listener", Rc::clone(self).warm(id, config, chains));
        let task = tokio::task::spawn_local(warm);
        if let Some(warming) = self.warming.borrow().get(&name) {
            warming.task.replace(Some(task));
        }
        self.note_change();
    }

    /// Waits until no listener is on its way any more.
    ///
    /// # Errors
    /// One of the bootstrap could not be made.
    pub(super) async fn settled(self: Rc<Self>) -> Result<(), StartError> {
        loop {
            let changed = self.changed.notified();
            if self.warming.borrow().is_empty() {
                return self.failed.borrow_mut().take().map_or(Ok(()), Err);
            }
            changed.await;
        }
    }

    /// Workers take connections from now on.
    pub(super) fn start(&self) -> Result<(), StartError> {
        self.started.set(true);
        self.active.borrow().values().try_for_each(|entry| self.listen(entry))
    }

    fn listen(&self, entry: &Entry) -> Result<(), StartError> {
        let Some(bound) = &entry.bound else { return Ok(()) };
        let sockets = bound.listen().map_err(|source| StartError::Bind {
            address: bound.address,
            origin: Box::new(entry.unit.config.origin.clone()),
            source,
        })?;
        self.context.workers.each_with(sockets, |socket| WorkerCommand::Listen(entry.unit.id, socket));
        Ok(())
    }

    /// Stops listeners; their connections stay.
    pub(super) fn stop(&self, direction: DrainDirection) {
        if self.stopped.get() != Some(DrainDirection::All) {
            self.stopped.set(Some(direction));
        }
        self.context.workers.each(|| WorkerCommand::StopListeners(direction));
        for entry in self.active.borrow_mut().values_mut() {
            if entry.is_stopped_by(direction) && entry.bound.take().is_some() {
                self.context.lifecycle.count_stopped_listener();
            }
        }
    }

    /// Lets go of all sockets: the workers do the same.
    pub(super) fn close(&self) {
        self.active.borrow_mut().values_mut().for_each(|entry| entry.bound = None);
        self.warming.borrow_mut().clear();
    }

    fn new_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }

    /// Shows what there is now, and tells who waits.
    fn note_change(&self) {
        let (active, warming) = (self.active.borrow(), self.warming.borrow());
        self.context.counts.set_active(active.len());
        self.context.counts.set_warming(warming.len());
        self.context.views.set(view::views(&active, &warming, &self.refused.borrow()));
        self.changed.notify_waiters();
    }
}

/// What the configuration's own checks leave.
fn check(listener: &model::Listener) -> Result<(), StartError> {
    if listener.filter_chains.is_empty() {
        return Err(StartError::Unsupported {
            origin: Box::new(listener.origin.clone()),
            what: "a listener needs a filter chain",
        });
    }
    Ok(())
}
