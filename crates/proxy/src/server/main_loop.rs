//! The main thread: prepares everything, then looks after names, signals and workers until the end.

mod admin;
mod drains;
mod initialize;
mod stats_flush;
mod workers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use sandgate_config::model::{AccessLog, Bootstrap, DnsResolver, FilterChain, NameServers};
use sandgate_host::{Environment, Host, WorkerHost};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::LocalSet;

use self::stats_flush::{StatsFlusher, start_sinks};
use super::clusters::Clusters;
use super::extensions::{ExtensionContext, ExtensionManager};
use super::listeners::{ListenerContext, ListenerCounts, ListenerManager};
use super::plugins::{PluginLoader, Running};
use super::routes::RouteManager;
use super::secrets::SecretManager;
use super::signals::{SignalEvent, Signals};
use super::stats::{Numbers, add_host_stats, add_runtime_stats, add_server_stats, add_start_time, settings};
use super::thread::{LocalWorker, WorkerCommand};
use super::{ListenerAddress, ServerError, ServerOptions, StartError, upstream_filters};
use crate::access_log::LogFiles;
use crate::admin::AdminAction;
use crate::admin::{ListenerViews, ResourceViews, SecretViews};
use crate::cluster::{ClusterTable, add_breaker_stats, add_hash_stats, add_subset_stats};
use crate::dns::Dns;
use crate::drain::{DrainDirection, DrainManager};
use crate::global_connections::GlobalConnections;
use crate::health_check_filter::HealthCheckFilters;
use crate::lifecycle::{Lifecycle, ServerState};
use crate::listener::{BoundListener, ListenerSpec};
use crate::listener_tls::TlsContexts;
use crate::network_filters::ConnectionCounts;
use crate::runtime::Runtime;
use crate::stats::StatsStore;
use crate::worker::WorkerEnvironment;
use crate::xds::XdsClient;
use drains::Drains;
use initialize::{Dynamic, StaticListeners};
pub(super) use workers::WorkerSenders;
use workers::Workers;

/// What the main loop is told.
#[derive(Debug)]
pub(super) enum MainCommand {
    /// End gracefully; at once if that has begun.
    Shutdown,
    /// End at once.
    Stop,
    /// What the admin interface was asked to do, and whether that began a drain.
    Admin(AdminAction, bool),
    /// A graceful drain is over.
    StopListeners(DrainDirection),
    /// A worker thread has ended because it was told to.
    WorkerDone(String),
    /// A worker thread has panicked.
    WorkerDied { name: String, message: String },
}

/// What all threads share.
pub(super) struct Shared {
    pub(super) bootstrap: Bootstrap,
    pub(super) checks: HealthCheckFilters,
    pub(super) connection_counts: Arc<ConnectionCounts>,
    pub(super) connections: Arc<GlobalConnections>,
    pub(super) clusters: Arc<ClusterTable>,
    pub(super) host: Arc<Host>,
    pub(super) stats: Arc<StatsStore>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) drain: Arc<DrainManager>,
    pub(super) logs: Arc<LogFiles>,
    pub(super) local_ip: IpAddr,
    pub(super) dns: Arc<Dns>,
}

/// Where everything listens.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) listeners: Vec<ListenerAddress>,
    pub(super) admin: Option<SocketAddr>,
}

type Report = Sender<Result<Addresses, StartError>>;

/// The body of the main thread.
pub(super) fn run(
    bootstrap: Bootstrap,
    options: ServerOptions,
    inbox: UnboundedReceiver<MainCommand>,
    to_main: UnboundedSender<MainCommand>,
    report: &Report,
) -> Result<(), ServerError> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = report.send(Err(StartError::Thread(error)));
            return Ok(());
        }
    };
    let local = LocalSet::new();
    let result = local.block_on(&runtime, async {
        match Main::start(bootstrap, &options, to_main).await {
            Ok((main, addresses)) => main.serve(inbox, &options, (report, addresses)).await,
            Err(error) => {
                let _ = report.send(Err(error));
                Ok(())
            }
        }
    });
    drop(local);
    // A name that is still being looked up must not hold the end.
    runtime.shutdown_background();
    result
}

struct Main {
    workers: Workers,
    dynamic: Rc<Dynamic>,
    /// Of the bootstrap, until they are made.
    waiting: Option<StaticListeners>,
    local: Rc<LocalWorker>,
    senders: WorkerSenders,
    shared: Arc<Shared>,
    lifecycle: Arc<Lifecycle>,
    signals: Signals,
    drains: Drains,
    flusher: Rc<StatsFlusher>,
    /// Nothing if `/stats` alone asks for a flush.
    flush_interval: Option<Duration>,
    /// The main thread's root contexts live as long as it does.
    plugins: Running,
}

impl Main {
    async fn start(
        bootstrap: Bootstrap,
        options: &ServerOptions,
        to_main: UnboundedSender<MainCommand>,
    ) -> Result<(Self, Addresses), StartError> {
        let lifecycle = Arc::clone(&options.lifecycle);
        if bootstrap.dynamic_resources.cds.is_none() {
            lifecycle.set(ServerState::Initializing);
        }
        log::info!(target: "config", "loading {} cluster(s)", bootstrap.clusters.len());
        log::info!(target: "config", "loading {} listener(s)", bootstrap.listeners.len());
        let mut signals = Signals::new(options.handle_signals);
        let concurrency = options.concurrency.max(1);
        let bound = bind_all(&bootstrap, concurrency)?;
        let admin = bind_admin(&bootstrap)?;

        options.stats.configure(settings(&bootstrap.stats_config));
        let runtime = Arc::new(Runtime::new(&bootstrap.layered_runtime));
        let clusters = ClusterTable::new(bootstrap.clusters.clone(), &runtime)?;
        clusters.set_local(&bootstrap);
        clusters.show_expirations(&options.stats);
        start_sinks(&bootstrap, &options.stats, &clusters)?;
        add_host_stats(&options.stats, &options.host);
        let environment = WorkerEnvironment::new(bootstrap.node.serialized.clone(), "main_thread");
        let env: Rc<dyn Environment> = Rc::<WorkerEnvironment>::clone(&environment);
        let local_host = WorkerHost::new(Arc::clone(&options.host), Rc::clone(&env));
        let name_servers = match &bootstrap.dns_resolver {
            Some(DnsResolver::Servers(servers)) => servers.clone(),
            Some(DnsResolver::System) | None => NameServers::default(),
        };
        let shared = Arc::new(Shared {
            dns: Arc::new(Dns::new(&name_servers)),
            connection_counts: Arc::default(),
            connections: GlobalConnections::new(bootstrap.max_downstream_connections, &runtime, &options.stats),
            checks: HealthCheckFilters::new(&clusters, &lifecycle, &bootstrap.node.cluster),
            clusters,
            runtime,
            drain: Arc::new(DrainManager::new(options.drain, Arc::clone(&lifecycle))),
            logs: LogFiles::open(access_logs(&bootstrap), options.access_logs, &options.stats)?,
            bootstrap,
            host: Arc::clone(&options.host),
            stats: Arc::clone(&options.stats),
            local_ip: local_ip(),
        });
        let logs = Arc::downgrade(&shared.logs);
        lifecycle.on_reopen(move || {
            if let Some(logs) = logs.upgrade() {
                logs.reopen();
            }
        });
        let local = Rc::new(LocalWorker::new(&shared, &environment, local_host));
        let senders = WorkerSenders::default();
        let (node, ads) = (shared.bootstrap.node.serialized.clone(), shared.bootstrap.dynamic_resources.ads.as_ref());
        let client = XdsClient::new(&local.worker, &options.stats, node, ads);
        let (loader, secret_views) = (shared.bootstrap.resource_loader(), Arc::<SecretViews>::default());
        let secrets = SecretManager::new(&client, loader.clone(), &options.stats, &secret_views);
        let clusters = Clusters::start(&shared, (&local, &env), &senders, (&client, &secrets))?;
        let counts = Arc::<ListenerCounts>::default();
        let numbers = Numbers {
            concurrency,
            listeners: Arc::clone(&counts),
            clusters: Arc::clone(&shared.clusters),
            version: shared.bootstrap.stats_server_version_override.unwrap_or_default(),
        };
        add_server_stats(&options.stats, &lifecycle, numbers);
        // After the clusters, to which plugins may send requests from the first.
        let mut plugins = PluginLoader::load(&shared.bootstrap, &options.host, &env, &local.host)?;
        clusters.all_warm().await;
        let listeners: Vec<_> =
            bound.iter().map(|bound| ListenerAddress { name: bound.name.clone(), address: bound.address }).collect();
        let (views, tls) = (Arc::<ListenerViews>::default(), Arc::<TlsContexts>::default());
        let (routes, extensions) = (Arc::<ResourceViews>::default(), Arc::<ResourceViews>::default());
        let admin_address = admin.as_ref().map(|admin| admin.address);
        if let Some(bound) = admin {
            let of = (&*shared, options);
            let resources = (&routes, &extensions, &secret_views);
            let running = (&*local, plugins.running());
            admin::start(bound, (&views, &tls), resources, client.statuses(), of, running, to_main.clone())?;
        }
        plugins.fetch(&options.host, &env, &local, &mut signals, &lifecycle).await;
        let (plugins, handles) = plugins.finish();
        upstream_filters::equip_main(&shared.bootstrap, &plugins, &handles, &local);
        let plugins = Arc::new(plugins);
        let workers = Workers::start(&shared, &plugins, concurrency, &senders, to_main.clone())?;
        let extensions = ExtensionManager::new(ExtensionContext {
            client: Rc::clone(&client),
            loader: loader.clone(),
            shared: Arc::clone(&shared),
            local: Rc::clone(&local),
            environment: Rc::clone(&env),
            workers: senders.clone(),
            views: extensions,
        });
        let manager = ListenerManager::new(ListenerContext {
            shared: Arc::clone(&shared),
            local: Rc::clone(&local),
            environment: Rc::clone(&env),
            workers: senders.clone(),
            extensions,
            lifecycle: Arc::clone(&lifecycle),
            secrets,
            routes: RouteManager::new(&client, loader, senders.clone(), &options.stats, (&routes, &shared.clusters)),
            counts,
            views,
            tls,
        });

        add_breaker_stats(&options.stats, &shared.clusters);
        add_hash_stats(&options.stats, &shared.clusters);
        add_subset_stats(&options.stats, &shared.clusters);
        add_runtime_stats(&options.stats, &shared.runtime);
        let flush_interval = (!shared.bootstrap.stats_flush_on_admin).then_some(shared.bootstrap.stats_flush_interval);
        let drains = Drains::new(&shared.drain, to_main);
        let flusher = StatsFlusher::new(&shared.bootstrap, &options.stats, &handles);
        let main = Self {
            workers,
            dynamic: Dynamic::new(client, Rc::clone(&clusters), manager, &lifecycle),
            waiting: Some(StaticListeners { bound, plugins }),
            shared,
            local,
            senders,
            lifecycle,
            signals,
            drains,
            flusher,
            flush_interval,
            plugins: handles,
        };
        Ok((main, Addresses { listeners, admin: admin_address }))
    }

    async fn serve(
        mut self,
        mut inbox: UnboundedReceiver<MainCommand>,
        options: &ServerOptions,
        (report, addresses): (&Report, Addresses),
    ) -> Result<(), ServerError> {
        // Until everything is there that the start waits for.
        let mut starting = self.waiting.take().map(|listeners| {
            let ready = Rc::clone(&self.dynamic).initialize(Arc::clone(&self.shared), listeners);
            (Box::pin(ready), addresses)
        });
        if let Some(interval) = self.flush_interval {
            tokio::task::spawn_local(Rc::clone(&self.flusher).keep_flushing(interval));
        } else {
            tokio::task::spawn_local(Rc::clone(&self.flusher).keep_settling());
        }
        log::info!(target: "main", "starting main dispatch loop");
        let mut deadline = None;
        let mut result = Ok(());
        loop {
            let quit = tokio::select! {
                command = inbox.recv() => match command {
                    Some(MainCommand::Shutdown) => true,
                    Some(MainCommand::Stop) | None => break,
                    Some(MainCommand::Admin(AdminAction::FlushStats, _)) => {
                        self.flusher.flush();
                        continue;
                    }
                    Some(MainCommand::Admin(action, begun)) => {
                        self.drains.act((action, begun), &self.dynamic.listeners);
                        continue;
                    }
                    Some(MainCommand::StopListeners(direction)) => {
                        self.dynamic.listeners.stop(direction);
                        continue;
                    }
                    Some(MainCommand::WorkerDone(name)) => {
                        self.workers.done(&name);
                        if self.workers.all_done() {
                            break;
                        }
                        continue;
                    }
                    Some(MainCommand::WorkerDied { name, message }) => {
                        log::error!(target: "main", "thread {name} died: {message}");
                        result = Err(ServerError::ThreadDied { thread: name, message });
                        break;
                    }
                },
                signal = self.signals.next() => match signal {
                    SignalEvent::End(name) => {
                        log::warn!(target: "main", "caught {name}");
                        true
                    }
                    SignalEvent::ReopenLogs => {
                        log::warn!(target: "main", "caught SIGUSR1");
                        self.lifecycle.reopen_logs();
                        continue;
                    }
                },
                ready = until_ready(&mut starting), if starting.is_some() => {
                    let Some((_, addresses)) = starting.take() else { continue };
                    if let Err(error) = ready.and_then(|()| self.begin(options)) {
                        let _ = report.send(Err(error));
                        break;
                    }
                    let _ = report.send(Ok(addresses));
                    continue;
                }
                () = options.lifecycle.quit_requested() => true,
                () = tokio::time::sleep_until(deadline.unwrap_or_else(tokio::time::Instant::now)), if deadline.is_some() => {
                    log::warn!(target: "main", "connections are still open after the grace period: closing them");
                    break;
                }
            };
            if quit && deadline.is_some() {
                break;
            }
            log::info!(target: "main", "shutting down server instance");
            self.lifecycle.set(ServerState::Draining);
            self.dynamic.client.close();
            self.flusher.end();
            self.dynamic.listeners.close();
            deadline = Some(tokio::time::Instant::now() + options.shutdown_grace);
            self.workers.drain();
        }
        if let Some((_, addresses)) = starting.take() {
            // Who waits for the start hears of its end.
            let _ = report.send(Ok(addresses));
        }
        self.lifecycle.set(ServerState::Draining);
        self.dynamic.client.close();
        self.flusher.end();
        self.dynamic.listeners.close();
        self.workers.stop();
        if self.flush_interval.is_some() {
            self.flusher.flush();
        }
        self.local.shut_down_plugins(&self.plugins.singletons());
        log::info!(target: "main", "exiting");
        result
    }

    /// The start is over: workers take connections.
    fn begin(&self, options: &ServerOptions) -> Result<(), StartError> {
        log::info!(target: "config", "all dependencies initialized. starting workers");
        self.senders.each(|| WorkerCommand::StartServices);
        self.dynamic.listeners.start()?;
        self.lifecycle.set(ServerState::Live);
        add_start_time(&options.stats, self.lifecycle.uptime());
        Ok(())
    }
}

/// Waits for what the start waits for.
async fn until_ready<F: Future<Output = Result<(), StartError>>>(
    starting: &mut Option<(Pin<Box<F>>, Addresses)>,
) -> Result<(), StartError> {
    match starting {
        Some((ready, _)) => ready.as_mut().await,
        None => Ok(()),
    }
}

fn bind_all(bootstrap: &Bootstrap, concurrency: usize) -> Result<Vec<BoundListener>, StartError> {
    let bind = |listener| {
        let spec = ListenerSpec::new(listener);
        BoundListener::bind(&spec, concurrency).map_err(|source| StartError::Bind {
            address: listener.address,
            origin: Box::new(listener.origin.clone()),
            source,
        })
    };
    bootstrap.listeners.iter().map(bind).collect()
}

fn bind_admin(bootstrap: &Bootstrap) -> Result<Option<BoundListener>, StartError> {
    let Some(admin) = &bootstrap.admin else { return Ok(None) };
    let spec =
        ListenerSpec { name: "admin", address: admin.address, ipv4_compat: false, reuse_port: false, backlog: None };
    let bound = BoundListener::bind(&spec, 1);
    bound.map(Some).map_err(|source| StartError::Bind {
        address: admin.address,
        origin: Box::new(admin.origin.clone()),
        source,
    })
}

/// Begins to listen, naming the listener if that fails.
fn listening(bound: &BoundListener) -> Result<Vec<std::net::TcpListener>, StartError> {
    let address = bound.address;
    bound.listen().map_err(|source| StartError::Bind { address, origin: Box::default(), source })
}

/// This machine's address: the one that packets to the outside would carry. No packet is sent to find out.
fn local_ip() -> IpAddr {
    let find = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        // Any address that is not ours; one of those set aside for documentation.
        socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9))?;
        socket.local_addr()
    };
    find().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address: SocketAddr| address.ip())
}

/// All access logs of a configuration.
fn access_logs(bootstrap: &Bootstrap) -> impl Iterator<Item = &AccessLog> {
    let chains = bootstrap.listeners.iter().flat_map(|listener| &listener.filter_chains);
    let logs = chains.flat_map(FilterChain::access_logs);
    logs.chain(bootstrap.admin.iter().flat_map(|admin| &admin.access_logs))
}
