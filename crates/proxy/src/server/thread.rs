//! A worker thread.

mod extensions;
mod listeners;
mod routes;

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use sandgate_config::model::RouteConfiguration;
use sandgate_host::PluginHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::StartError;
use super::extensions::{Applied, ExtensionSlot, ProvidedConfig};
use super::main_loop::{MainCommand, Shared};
use super::network::ListenerBuilder;
use super::plugins::{Plugins, log_plugins};
use super::unit::{ChainPlace, ListenerUnit};
use crate::access_log::LogBuffers;
use crate::callouts::WorkerCallouts;
use crate::cluster::{ClusterEntry, ClusterManager, Host, PrioritySet};
use crate::drain::DrainDirection;
use crate::pool::Sweeper;
use crate::router::RouterConfig;
use crate::worker::{HostTask, Worker, WorkerEnvironment, guarded, panic_message};

/// What the main loop tells a worker.
#[derive(Debug)]
pub(super) enum WorkerCommand {
    /// Makes a listener, which takes no connections yet.
    Prepare(Arc<ListenerUnit>, oneshot::Sender<Result<(), StartError>>),
    /// The listener with this id takes connections from this socket.
    Listen(u64, std::net::TcpListener),
    /// The listener with this id takes no connections any more: another one has its socket.
    HandOn(u64),
    /// The listener with this id takes no connections any more, but those that have come.
    StopListener(u64),
    /// Responses on these filter chains begin to end their connections.
    DrainChains(Vec<ChainPlace>),
    /// The listener with this id is forgotten, and what is left of it ends.
    Remove(u64),
    /// The provider with this id has other routes.
    Routes(u64, Arc<RouteConfiguration>),
    /// A filter has another configuration, or has none any more. The last is dropped once the worker goes by it.
    Extension(Arc<ExtensionSlot>, Option<Arc<ProvidedConfig>>, Option<Arc<Applied>>),
    /// Starts what runs beside the listeners.
    StartServices,
    /// There is this cluster, under its name, with the plugins of its filters.
    AddCluster(Arc<ClusterEntry>, Option<Arc<Plugins>>),
    /// A cluster is no more.
    RemoveCluster(usize),
    /// A cluster has other hosts.
    Hosts(usize, Arc<PrioritySet>),
    /// These listeners take no connections any more; what is open stays.
    StopListeners(DrainDirection),
    /// A cluster's host was found unhealthy: connections to it are drained.
    HostFailed(usize, Arc<Host>),
    /// No new connections; the thread ends when the open ones have.
    Drain,
    /// The thread ends now.
    Stop,
}

pub(super) use extensions::{DiscoveredFilters, FilterMaker, PlacedFilter, PlacedNetworkFilter};
use listeners::Listeners;
pub(super) use listeners::{Chains, listen};
use routes::ProvidedRoutes;

/// The local half of a worker: the same on the main thread and the others.
pub(super) struct LocalWorker {
    pub(super) worker: Rc<Worker>,
    pub(super) host: Rc<sandgate_host::WorkerHost>,
    /// Those that come from a control plane.
    pub(super) routes: ProvidedRoutes,
    /// Filters that do.
    pub(super) extensions: DiscoveredFilters,
    /// Checksums of code that is fetched for the next configuration that wants it.
    pub(super) fetching: Rc<RefCell<HashSet<String>>>,
    environment: Rc<WorkerEnvironment>,
}

impl LocalWorker {
    /// Makes it and starts its tasks. Inside a `LocalSet`.
    pub(super) fn new(
        shared: &Shared,
        environment: &Rc<WorkerEnvironment>,
        host: Rc<sandgate_host::WorkerHost>,
    ) -> Self {
        let sweeper = Rc::new(Sweeper::default());
        let clusters = ClusterManager::new(&shared.clusters, &sweeper, &shared.stats, &shared.runtime);
        let logs = LogBuffers::new(&shared.logs, &shared.stats);
        let flushing = LogBuffers::keep_flushing(Rc::downgrade(&logs));
        tokio::task::spawn_local(guarded("access log flusher", flushing));
        let worker = Worker::new(
            Rc::clone(&clusters),
            shared.local_ip,
            Arc::clone(&shared.runtime),
            Arc::clone(&shared.drain),
            logs,
            Rc::new(RouterConfig::of_async_client(&shared.stats)),
            Arc::clone(&shared.dns),
        );
        environment.set_callouts(WorkerCallouts::new(&worker));
        tokio::task::spawn_local(guarded("connection sweeper", sweeper.run(clusters)));
        let task = HostTask::new(Rc::clone(&host), Rc::clone(environment));
        tokio::task::spawn_local(guarded("Wasm host task", task.run()));
        Self {
            worker,
            host,
            routes: ProvidedRoutes::default(),
            extensions: DiscoveredFilters::default(),
            fetching: Rc::default(),
            environment: Rc::clone(environment),
        }
    }

    /// Ends the plugins, those of `last` after the others. What they ask to be sent meanwhile is not sent.
    pub(super) fn shut_down_plugins(&self, last: &[Rc<PluginHandle>]) {
        self.environment.end_callouts();
        self.host.shutdown(last);
        self.worker.clusters.all().iter().for_each(|cluster| cluster.set_filters(Vec::new()));
    }
}

/// The body of a worker thread. Reports readiness once, and its end to the main loop.
pub(super) fn run(
    name: String,
    (shared, plugins): (Arc<Shared>, Arc<Plugins>),
    commands: UnboundedReceiver<WorkerCommand>,
    ready: Sender<Result<(), StartError>>,
    main: &UnboundedSender<MainCommand>,
) {
    let body = AssertUnwindSafe(|| run_inner(&name, (&shared, &plugins), commands, ready));
    let end = match catch_unwind(body) {
        Ok(()) => MainCommand::WorkerDone(name),
        Err(payload) => MainCommand::WorkerDied { name, message: panic_message(&*payload).to_owned() },
    };
    // A main loop that is gone needs no news.
    let _ = main.send(end);
}

fn run_inner(
    name: &str,
    (shared, plugins): (&Arc<Shared>, &Arc<Plugins>),
    commands: UnboundedReceiver<WorkerCommand>,
    ready: Sender<Result<(), StartError>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(StartError::Thread(error)));
            return;
        }
    };
    let local = LocalSet::new();
    let kept = RefCell::new(None);
    local.block_on(&runtime, serve(name, (shared, plugins), commands, ready, &kept));
    // Connections go before the plugins they use.
    drop(local);
    if let Some(kept) = kept.take() {
        let Kept { worker, listeners, services } = kept;
        worker.shut_down_plugins(&[]);
        drop((listeners, services));
    }
}

/// What is left of a worker when its connections are gone.
struct Kept {
    worker: Rc<LocalWorker>,
    /// They hold the plugins.
    listeners: Listeners,
    services: Vec<Rc<PluginHandle>>,
}

async fn serve(
    name: &str,
    (shared, plugins): (&Arc<Shared>, &Arc<Plugins>),
    mut commands: UnboundedReceiver<WorkerCommand>,
    ready: Sender<Result<(), StartError>>,
    kept: &RefCell<Option<Kept>>,
) {
    let thread = name.strip_prefix("wrk:").unwrap_or(name);
    let environment = WorkerEnvironment::new(shared.bootstrap.node.serialized.clone(), thread);
    let env: Rc<dyn sandgate_host::Environment> = Rc::<WorkerEnvironment>::clone(&environment);
    let worker_host = sandgate_host::WorkerHost::new(Arc::clone(&shared.host), env);
    let local = Rc::new(LocalWorker::new(shared, &environment, worker_host));
    let log_plugin = log_plugins(plugins, &local.host);
    // Those of the admin interface are on every thread, as in Envoy, though only the main thread serves it.
    let admin_logs = shared.bootstrap.admin.iter().flat_map(|admin| &admin.access_logs);
    let mut services: Vec<_> = admin_logs.filter_map(|log| log_plugin(log.wasm()?)).collect();
    super::upstream_filters::equip(&shared.bootstrap, plugins, &local);
    if ready.send(Ok(())).is_err() {
        return;
    }
    drop(ready);
    let mut listeners = Listeners::default();
    let builder = ListenerBuilder { shared, local: &local, thread };
    let mut draining = false;
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            () = local.worker.idle(), if draining => break,
        };
        match command {
            // A main loop that is gone wants no answer.
            Some(WorkerCommand::Prepare(unit, answer)) => drop(answer.send(listeners.prepare(&builder, &unit))),
            Some(WorkerCommand::Listen(id, socket)) if !draining => listeners.listen(&local.worker, id, socket),
            Some(WorkerCommand::Listen(..)) => {}
            Some(WorkerCommand::HandOn(id)) => listeners.hand_on(id),
            Some(WorkerCommand::StopListener(id)) => listeners.stop(id).await,
            Some(WorkerCommand::DrainChains(chains)) => listeners.drain(&chains),
            Some(WorkerCommand::Remove(id)) => listeners.remove(&local.worker, id),
            Some(WorkerCommand::Routes(provider, routes)) => local.routes.update(provider, &routes, &shared.stats),
            Some(WorkerCommand::Extension(slot, config, applied)) => {
                local.extensions.update(&slot, config.as_ref(), (&shared.checks, &shared.stats, &local.host));
                drop(applied);
            }
            Some(WorkerCommand::StartServices) => {
                services.extend(super::services::start(&shared.bootstrap, plugins, &local.host));
            }
            Some(WorkerCommand::AddCluster(entry, plugins)) => {
                let cluster = local.worker.clusters.add(&entry);
                if let Some(plugins) = plugins {
                    super::upstream_filters::equip_discovered(&cluster, &plugins, &local.host);
                }
                local.worker.clusters.activate(entry.index);
            }
            Some(WorkerCommand::RemoveCluster(index)) => local.worker.clusters.remove(index),
            Some(WorkerCommand::Hosts(index, hosts)) => {
                if let Some(cluster) = local.worker.clusters.at(index) {
                    cluster.update(&hosts);
                }
            }
            Some(WorkerCommand::StopListeners(direction)) => listeners.stop_all(direction).await,
            Some(WorkerCommand::HostFailed(index, host)) => {
                if let Some(cluster) = local.worker.clusters.at(index) {
                    cluster.drain_host(&host, Instant::now());
                }
            }
            Some(WorkerCommand::Drain) => {
                draining = true;
                local.worker.end_connections();
                listeners.stop_all(DrainDirection::All).await;
            }
            Some(WorkerCommand::Stop) | None => break,
        }
    }
    *kept.borrow_mut() = Some(Kept { worker: local, listeners, services });
}
