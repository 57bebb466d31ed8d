//! Wasm plugins of a configuration: loaded once on the main thread, cloned on every worker.

mod discovered;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model::{self, Bootstrap, CodeSource, RemoteCode, StatsSinkKind};
use sandgate_host::{
    CachedCode, CompileAhead, Environment, FailurePolicy, Host, Plugin, PluginConfig, PluginError, PluginHandle,
    VmConfig, WorkerHost,
};
use tokio::task::JoinHandle;

use super::extensions::discovered_filters;
use super::signals::{SignalEvent, Signals};
use super::thread::LocalWorker;
use super::unit::ChainPlace;
use super::{StartError, remote_code};
use crate::access_log::PluginSource;
use crate::lifecycle::Lifecycle;

/// Where a plugin stands in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A cluster, and the place among its filters.
    Cluster(usize, usize),
    /// The logger with the plugin at this address, which is shared and never copied: access logs stand in many places.
    AccessLog(usize),
    /// A listener, a filter chain, and the place among all filters of the chain.
    Listener(usize, usize, usize),
    /// A listener, a filter chain, and the place among its network filters.
    Network(usize, usize, usize),
    /// A filter whose configuration came alone.
    Discovered,
    /// The place among the stats sinks.
    StatsSink(usize),
    /// The place among the services beside the listeners: one that runs on every thread.
    Service(usize),
    /// The same of one that runs on the main thread alone.
    Singleton(usize),
}

/// Plugins by their place.
#[derive(Debug, Default)]
pub(super) struct Plugins {
    loaded: Vec<(Place, Loaded)>,
}

/// Makes the plugins, on the main thread.
#[derive(Debug, Default)]
pub(super) struct PluginLoader {
    plugins: Plugins,
    /// Whose code has to be fetched.
    pending: Vec<(Place, Pending)>,
    running: Running,
}

/// The plugins as they run on the main thread, where they live as long as this.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Vec<(Place, Rc<PluginHandle>)>);

/// What became of a plugin.
#[derive(Debug)]
pub(super) enum Loaded {
    Plugin(Arc<Plugin>),
    /// Its code did not come, or cannot run.
    Failed(Arc<PluginConfig>),
}

#[derive(Debug)]
struct Pending {
    config: PluginConfig,
    remote: Rc<RemoteCode>,
    /// If somebody else had fetched it before.
    code: Option<Bytes>,
}

// === impl Plugins ===

impl Plugins {
    /// The plugin of that place.
    pub(super) fn get(&self, place: Place) -> Option<&Loaded> {
        self.loaded.iter().find(|(other, _)| *other == place).map(|(_, plugin)| plugin)
    }
}

// === impl Running ===

impl Running {
    /// The plugin of that place.
    pub(super) fn get(&self, place: Place) -> Option<&Rc<PluginHandle>> {
        self.0.iter().find(|(other, _)| *other == place).map(|(_, handle)| handle)
    }

    /// Those that are on no other thread.
    pub(super) fn singletons(&self) -> Vec<Rc<PluginHandle>> {
        let singletons = self.0.iter().filter(|(place, _)| place.is_singleton());
        singletons.map(|(_, handle)| Rc::clone(handle)).collect()
    }
}

// === impl Place ===

impl Place {
    /// The number of a cluster whose plugins are by themselves.
    pub(super) const OF_ONE_CLUSTER: usize = 0;

    /// Of the plugin of an access log.
    pub(super) fn of_log(plugin: &Arc<model::WasmPlugin>) -> Self {
        Self::AccessLog(Arc::as_ptr(plugin).addr())
    }

    /// Whether what stands there runs on the main thread alone.
    fn is_singleton(self) -> bool {
        match self {
            Self::StatsSink(_) | Self::Singleton(_) => true,
            Self::Cluster(..) | Self::AccessLog(_) | Self::Listener(..) | Self::Network(..) | Self::Service(_) => false,
            Self::Discovered => false,
        }
    }
}

// === impl PluginLoader ===

impl PluginLoader {
    /// Reads, compiles and tries every plugin, and starts each on the main thread, whose host is `local`, before the next
    /// one is read, as Envoy does, those of the admin interface and of clusters first. Call on the main thread.
    ///
    /// Plugins whose code has to be fetched are left for [`Self::fetch`].
    pub(super) fn load(
        bootstrap: &Bootstrap,
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &Rc<WorkerHost>,
    ) -> Result<Self, StartError> {
        let _ahead = compile_ahead(all(bootstrap), host);
        Self::load_all(all(bootstrap), host, environment, local)
    }

    /// The same for one filter chain.
    pub(super) fn load_chain(
        place: ChainPlace,
        chain: &model::FilterChain,
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &Rc<WorkerHost>,
    ) -> Result<Self, StartError> {
        let _ahead = compile_ahead(of_chain(place, chain), host);
        Self::load_all(of_chain(place, chain), host, environment, local)
    }

    fn load_all<'a>(
        plugins: impl Iterator<Item = (Place, &'a model::WasmPlugin)>,
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &Rc<WorkerHost>,
    ) -> Result<Self, StartError> {
        let mut loader = Self::default();
        for (place, wasm) in plugins {
            if let CodeSource::Remote(remote) = &wasm.vm.code {
                loader.pending.push((place, Pending::new(wasm, remote, host, &**environment)?));
                continue;
            }
            let plugin = load_one(wasm, host, environment)?;
            loader.running.0.push((place, local.plugin_handle_by_policy(&plugin)));
            loader.plugins.loaded.push((place, Loaded::Plugin(plugin)));
        }
        Ok(loader)
    }

    /// Fetches what has to be fetched, all at once, and loads it in the order of the configuration. That code does not come, or
    /// cannot run, is the failure policy's affair, as in Envoy. A signal to end ends this, too.
    pub(super) async fn fetch(
        &mut self,
        host: &Arc<Host>,
        environment: &Rc<dyn Environment>,
        local: &LocalWorker,
        signals: &mut Signals,
        lifecycle: &Lifecycle,
    ) {
        let pending: Vec<_> = std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(place, plugin)| {
                let known = plugin.code.is_some();
                let fetch = (!known).then(|| remote_code::fetch(Rc::clone(&plugin.remote), Rc::clone(&local.worker)));
                (place, plugin, fetch.map(tokio::task::spawn_local))
            })
            .collect();
        let mut ended = false;
        for (place, plugin, task) in pending {
            let code = match task {
                None => plugin.code.clone(),
                Some(task) => {
                    let code = if ended { Err(task) } else { unless_ended(task, signals, lifecycle).await };
                    let code = code.unwrap_or_else(|task| {
                        ended = true;
                        task.abort();
                        None
                    });
                    host.code_cache().fetched(&plugin.remote.sha256, code.as_ref(), environment.monotonic_ns());
                    code
                }
            };
            self.add_fetched(place, plugin, code, (host, environment), local);
        }
    }

    /// The same while the server runs, one after the other.
    pub(super) async fn fetch_now(&mut self, host: &Arc<Host>, environment: &Rc<dyn Environment>, local: &LocalWorker) {
        for (place, plugin) in std::mem::take(&mut self.pending) {
            let code = match plugin.code.clone() {
                Some(code) => Some(code),
                None => {
                    let code = remote_code::fetch(Rc::clone(&plugin.remote), Rc::clone(&local.worker)).await;
                    host.code_cache().fetched(&plugin.remote.sha256, code.as_ref(), environment.monotonic_ns());
                    code
                }
            };
            self.add_fetched(place, plugin, code, (host, environment), local);
        }
    }

    fn add_fetched(
        &mut self,
        place: Place,
        plugin: Pending,
        code: Option<Bytes>,
        (host, environment): (&Arc<Host>, &Rc<dyn Environment>),
        local: &LocalWorker,
    ) {
        self.plugins.loaded.push((place, plugin.load(code, host, environment)));
        if let Some((_, Loaded::Plugin(plugin))) = self.plugins.loaded.last() {
            self.running.0.push((place, local.host.plugin_handle_by_policy(plugin)));
        }
    }

    /// What runs already.
    pub(super) fn running(&self) -> &Running {
        &self.running
    }

    /// The plugins, and what keeps them on the main thread.
    pub(super) fn finish(self) -> (Plugins, Running) {
        (self.plugins, self.running)
    }
}

/// What the task comes to, or the task if the process is to end first.
async fn unless_ended(
    mut task: JoinHandle<Option<Bytes>>,
    signals: &mut Signals,
    lifecycle: &Lifecycle,
) -> Result<Option<Bytes>, JoinHandle<Option<Bytes>>> {
    loop {
        tokio::select! {
            result = &mut task => return Ok(result.unwrap_or_default()),
            event = signals.next() => match event {
                SignalEvent::ReopenLogs => lifecycle.reopen_logs(),
                SignalEvent::End(_) => {
                    signals.put_back(event);
                    return Err(task);
                }
            },
        }
    }
}

// === impl Pending ===

impl Pending {
    fn new(
        wasm: &model::WasmPlugin,
        remote: &RemoteCode,
        host: &Host,
        environment: &dyn Environment,
    ) -> Result<Self, StartError> {
        let config = plugin_config(wasm, host)?;
        let code = match host.code_cache().ask(&remote.sha256, environment.monotonic_ns()) {
            CachedCode::Hit(code) => Some(code),
            _ if remote.nack_on_cache_miss => {
                host.log_missing_code(&config);
                return Err(StartError::CodeCacheMiss {
                    plugin: wasm.name.clone(),
                    origin: Box::new(wasm.vm.code_origin.clone()),
                    remote: Box::new(remote.clone()),
                });
            }
            CachedCode::Miss | CachedCode::InProgress | CachedCode::Negative => None,
        };
        Ok(Self { config, remote: Rc::new(remote.clone()), code })
    }

    fn load(self, code: Option<Bytes>, host: &Arc<Host>, environment: &Rc<dyn Environment>) -> Loaded {
        let Self { mut config, .. } = self;
        let Some(code) = code else {
            host.log_missing_code(&config);
            return Loaded::Failed(Arc::new(config));
        };
        config.vm.code = code;
        let config = Arc::new(config);
        match host.load(Arc::clone(&config), Rc::clone(environment)) {
            Ok(plugin) => Loaded::Plugin(plugin),
            // The host has logged why.
            Err(_) => Loaded::Failed(config),
        }
    }
}

/// Every plugin of a configuration in the order in which they are loaded.
pub(super) fn all(bootstrap: &Bootstrap) -> impl Iterator<Item = (Place, &model::WasmPlugin)> {
    let of_clusters = bootstrap.clusters.iter().enumerate().flat_map(|(index, cluster)| of_cluster(index, cluster));
    let of_listeners = bootstrap.listeners.iter().enumerate().flat_map(|(index, listener)| {
        let chains = listener.filter_chains.iter().enumerate();
        chains.flat_map(move |(chain_index, chain)| of_chain((index, chain_index), chain))
    });
    let of_sinks = bootstrap.stats_sinks.iter().enumerate().filter_map(|(index, sink)| match &sink.kind {
        StatsSinkKind::Wasm(plugin) => Some((Place::StatsSink(index), &**plugin)),
        _ => None,
    });
    let of_services = bootstrap.services.iter().enumerate();
    let of_services = of_services.map(|(index, service)| {
        let place = if service.singleton { Place::Singleton(index) } else { Place::Service(index) };
        (place, &service.plugin)
    });
    let of_admin = bootstrap.admin.iter().flat_map(|admin| of_logs(&admin.access_logs));
    of_admin.chain(of_clusters).chain(of_listeners).chain(of_sinks).chain(of_services)
}

/// Plugins that stand in for configurations of filters which somebody else tells.
pub(super) fn defaults(bootstrap: &Bootstrap) -> impl Iterator<Item = &model::WasmPlugin> {
    let chains = bootstrap.listeners.iter().flat_map(|listener| &listener.filter_chains);
    chains.flat_map(discovered_filters).filter_map(|(_, filter)| filter.discovery.default.as_deref()?.wasm())
}

/// Those of a cluster.
fn of_cluster(index: usize, cluster: &model::Cluster) -> impl Iterator<Item = (Place, &model::WasmPlugin)> {
    let filters = cluster.http.http_filters.iter().enumerate();
    filters.filter_map(move |(at, filter)| Some((Place::Cluster(index, at), filter.wasm()?)))
}

/// Those of a filter chain.
fn of_chain(place: ChainPlace, chain: &model::FilterChain) -> impl Iterator<Item = (Place, &model::WasmPlugin)> {
    let (listener, index) = place;
    let of_network = chain.network_filters.iter().enumerate();
    let of_network =
        of_network.filter_map(move |(at, filter)| Some((Place::Network(listener, index, at), filter.kind.wasm()?)));
    let filters = chain.http_connection_manager().into_iter().flat_map(|hcm| hcm.all_filters()).enumerate();
    let of_filters =
        filters.filter_map(move |(at, filter)| Some((Place::Listener(listener, index, at), filter.wasm()?)));
    // Its loggers come before its filters, as in Envoy.
    of_network.chain(of_logs(chain.access_logs())).chain(of_filters)
}

fn of_logs(logs: &[model::AccessLog]) -> impl Iterator<Item = (Place, &model::WasmPlugin)> {
    logs.iter().filter_map(model::AccessLog::wasm).map(|plugin| (Place::of_log(plugin), &**plugin))
}

/// Where the access logs of a worker get their plugins from while its listeners are made: each starts then and there.
pub(super) fn log_plugins(plugins: &Arc<Plugins>, host: &Rc<WorkerHost>) -> PluginSource {
    let (plugins, host) = (Arc::clone(plugins), Rc::clone(host));
    Box::new(move |plugin| match plugins.get(Place::of_log(plugin))? {
        Loaded::Plugin(plugin) => Some(host.plugin_handle_by_policy(plugin)),
        Loaded::Failed(_) => None,
    })
}

/// The same on the main thread, where they run already.
pub(super) fn running_log_plugins(running: &Running) -> PluginSource {
    let running = running.clone();
    Box::new(move |plugin| running.get(Place::of_log(plugin)).cloned())
}

/// Compiles what is there on all processors while plugins are loaded in their order. What cannot be read is told when its turn comes.
pub(super) fn compile_ahead<'a, 'b>(
    plugins: impl Iterator<Item = (Place, &'b model::WasmPlugin)>,
    host: &'a Host,
) -> CompileAhead<'a> {
    let modules = plugins.map(|(_, wasm)| {
        let code = wasm.vm.code.clone();
        (wasm.vm.runtime.clone(), move || code.read().unwrap_or_default())
    });
    host.compile_ahead(modules)
}

/// Reads, compiles and tries one plugin.
pub(super) fn load_one(
    wasm: &model::WasmPlugin,
    host: &Arc<Host>,
    environment: &Rc<dyn Environment>,
) -> Result<Arc<Plugin>, StartError> {
    let config = Arc::new(plugin_config(wasm, host)?);
    host.load(config, Rc::clone(environment)).map_err(|source| refused(wasm, source))
}

fn refused(wasm: &model::WasmPlugin, source: PluginError) -> StartError {
    StartError::Plugin { origin: Box::new(wasm.origin.clone()), source: Box::new(source) }
}

fn plugin_config(wasm: &model::WasmPlugin, host: &Host) -> Result<PluginConfig, StartError> {
    let vm = &wasm.vm;
    let code = vm.code.read().map_err(|source| StartError::Code {
        plugin: wasm.name.clone(),
        origin: Box::new(vm.code_origin.clone()),
        source,
    })?;
    let quotas = host.quotas(&wasm.name, &wasm.root_id, &vm.vm_id);
    Ok(PluginConfig {
        name: wasm.name.clone(),
        root_id: wasm.root_id.clone(),
        vm: VmConfig {
            vm_id: vm.vm_id.clone(),
            runtime: vm.runtime.clone(),
            code,
            configuration: vm.configuration.clone(),
            environment: vm.environment.clone(),
            identity: vm.identity.clone(),
            capabilities: vm.capabilities.clone(),
            limits: quotas.vm.clone(),
            host_limits: Some(Arc::clone(&quotas.host)),
            isolation: quotas.isolation,
        },
        configuration: wasm.configuration.clone(),
        failure_policy: match wasm.failure_policy {
            model::FailurePolicy::FailClosed => FailurePolicy::FailClosed,
            model::FailurePolicy::FailOpen => FailurePolicy::FailOpen,
            model::FailurePolicy::FailReload => FailurePolicy::FailReload,
        },
        legacy_fail_open: wasm.fail_open,
        reload_backoff: Some(wasm.reload_backoff),
        allow_on_headers_stop_iteration: wasm.allow_on_headers_stop_iteration,
        identity: wasm.identity.clone(),
    })
}
