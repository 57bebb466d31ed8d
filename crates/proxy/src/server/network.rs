//! From the configuration of listeners to their filter chains on this thread.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model::{
    self, Bootstrap, DiscoveredKind, FilterChainMatch, NetworkFilter, NetworkFilterKind, TerminalFilter,
};
use sandgate_filter::ListenerInfo;
use sandgate_host::WorkerHost;

use super::extensions::{ExtensionSlot, ProvidedConfig};
use super::hcm::{self, listener_stat_name};
use super::plugins::{Loaded, Place, log_plugins};
use super::thread::{Chains, LocalWorker, PlacedNetworkFilter};
use super::unit::{ChainUnit, FilterPlace, ListenerUnit};
use super::{StartError, main_loop::Shared};
use crate::chain_drain::ChainDrain;
use crate::drain::ListenerDrain;
use crate::global_connections::ConnectionGate;
use crate::hcm::Hcm;
use crate::listener_filters::ListenerFilters;
use crate::listener_tls::WorkerTls;
use crate::network::{
    ActiveListener, DiscoveredNetwork, DiscoveredNetworkFilter, FilterChain, NetworkFilterFactory, Terminal,
};
use crate::network_filters::{
    ConnectionCounts, ConnectionLimitFilter, DirectResponseFilter, EchoFilter, NetworkRbacFilter,
    NetworkSetFilterStateFilter, SniClusterFilter,
};
use crate::runtime::Runtime;
use crate::stats::{ConfiguredListenerStats, ListenerStats, StatsStore, ThreadListenerStats};
use crate::tcp_proxy::TcpProxy;
use crate::wasm_network_filter::{FailedNetworkPlugin, WasmNetworkFilter};

/// Makes the listeners of one thread.
pub(super) struct ListenerBuilder<'a> {
    pub(super) shared: &'a Shared,
    pub(super) local: &'a LocalWorker,
    /// The thread's name in stats.
    pub(super) thread: &'a str,
}

// === impl ListenerBuilder ===

impl ListenerBuilder<'_> {
    /// The listener, with those of `known` chains that are among its own.
    pub(super) fn build(&self, unit: &ListenerUnit, known: &Chains) -> Result<Rc<ActiveListener>, StartError> {
        let listener = &*unit.config;
        if listener.filter_chains.is_empty() {
            return Err(StartError::Unsupported {
                origin: Box::new(listener.origin.clone()),
                what: "a listener needs a filter chain",
            });
        }
        let store = &self.shared.stats;
        let stat_name = listener_stat_name(listener);
        let chains = listener.filter_chains.iter().zip(&unit.chains);
        let chains = chains.map(|(chain, unit)| match known.get(&unit.place) {
            Some((known, _)) => Ok(Rc::clone(known)),
            None => self.chain(unit, listener, chain).map(Rc::new),
        });
        let chains = chains.collect::<Result<_, _>>()?;
        let one_for_all = listener.filter_chains.len() == 1
            && listener.filter_chains.iter().all(|chain| chain.filter_chain_match == FilterChainMatch::default());
        Ok(Rc::new(ActiveListener {
            stats: ListenerStats::new(store, &stat_name),
            configured_stats: Some(ConfiguredListenerStats::new(store, &stat_name)),
            thread_stats: ThreadListenerStats::new(store, &format!("{stat_name}.{}", self.thread)),
            gate: ConnectionGate::new(&self.shared.connections, listener.global_connection_limit),
            drain: Some(ListenerDrain::new(listener)),
            listener_filters: ListenerFilters::new(listener, store),
            chains,
            chain_tree: (!one_for_all).then(|| listener.filter_chain_tree.clone()),
            default_chain: listener.default_filter_chain,
        }))
    }

    fn chain(
        &self,
        unit: &ChainUnit,
        listener: &model::Listener,
        chain: &model::FilterChain,
    ) -> Result<FilterChain, StartError> {
        let Self { shared, local, .. } = self;
        let bootstrap: &Bootstrap = &shared.bootstrap;
        let tls = unit.tls.as_ref();
        let chain_drain = Rc::<ChainDrain>::default();
        local.worker.logs.set_plugins(Some(log_plugins(&unit.plugins, &local.host)));
        // Plugins start in the order of the configuration.
        let mut discovered = Vec::new();
        let filters = chain.network_filters.iter().enumerate().filter_map(|(index, filter)| {
            let (factory, filter) = self.filter(unit, index, filter, tls.is_some())?;
            discovered.extend(filter);
            Some(factory)
        });
        let filters = filters.collect();
        let terminal = match &chain.terminal {
            TerminalFilter::Http { config, .. } => Terminal::Http(hcm::build(
                unit,
                (listener, config, &chain_drain),
                bootstrap,
                &shared.checks,
                local,
                &shared.stats,
            )?),
            TerminalFilter::TcpProxy { config, .. } => {
                Terminal::TcpProxy(TcpProxy::new(config, listener, &local.worker, &shared.stats))
            }
            TerminalFilter::InChain => Terminal::InChain,
        };
        local.worker.logs.set_plugins(None);
        Ok(FilterChain {
            drain: chain_drain,
            info: Arc::new(ListenerInfo {
                name: listener.name.as_str().into(),
                filter_chain_name: chain.name.as_str().into(),
                direction: listener.traffic_direction as i64,
                metadata: listener.metadata.as_deref().map(Bytes::copy_from_slice).unwrap_or_default(),
                node: Bytes::copy_from_slice(&bootstrap.node.serialized),
            }),
            tls: tls.map(|tls| Rc::new(WorkerTls::new(Arc::clone(tls), &shared.stats))),
            filters,
            discovered,
            terminal,
            buffer_limit: listener.per_connection_buffer_limit_bytes as usize,
        })
    }

    /// What makes a filter for each connection; nothing if connections pass without it. `unit` is its chain, `index` where it stands
    /// there; `secured`: connections have TLS.
    fn filter(
        &self,
        unit: &ChainUnit,
        index: usize,
        filter: &NetworkFilter,
        secured: bool,
    ) -> Option<(NetworkFilterFactory, Option<Rc<DiscoveredNetworkFilter>>)> {
        let place = unit.place;
        let factory = match &filter.kind {
            NetworkFilterKind::Wasm(_) => {
                wasm_factory(unit.plugins.get(Place::Network(place.0, place.1, index))?, &self.local.host)?
            }
            NetworkFilterKind::Discovered(_) => {
                let placed = self.discovered(unit.extension(FilterPlace::Network(index))?, secured);
                let filter = Rc::clone(&placed.filter);
                return Some((Box::new(move |callbacks| placed.filter.make(callbacks)), Some(filter)));
            }
            kind => plain_factory(kind, (place.0, place.1, index), secured, &FilterParts::new(self.shared))?,
        };
        Some((factory, None))
    }

    /// A filter whose configuration comes from elsewhere.
    fn discovered(&self, slot: &ExtensionSlot, secured: bool) -> Rc<PlacedNetworkFilter> {
        let Self { shared, local, .. } = self;
        let (parts, host) = (FilterParts::new(shared), Rc::clone(&local.host));
        let make = move |config: &ProvidedConfig| {
            // Nothing else has this category.
            let DiscoveredKind::Network(kind) = &config.kind else { return DiscoveredNetwork::Missing };
            if let NetworkFilterKind::Wasm(_) = kind {
                let plugin = config.plugins.get(Place::Discovered);
                let make = plugin.and_then(|plugin| wasm_factory(plugin, &host));
                return make.map_or(DiscoveredNetwork::Absent, DiscoveredNetwork::Filter);
            }
            // Listeners come from zero: no other filter has this key.
            let key = (usize::MAX, usize::try_from(config.id).unwrap_or(usize::MAX), 0);
            plain_factory(kind, key, secured, &parts).map_or(DiscoveredNetwork::Missing, DiscoveredNetwork::Filter)
        };
        local.extensions.add_network(slot, Box::new(make), (&shared.checks, &shared.stats, &local.host))
    }
}

/// What network filters need beside their configurations.
struct FilterParts {
    counts: Arc<ConnectionCounts>,
    runtime: Arc<Runtime>,
    store: Arc<StatsStore>,
}

impl FilterParts {
    fn new(shared: &Shared) -> Self {
        let Shared { connection_counts, runtime, stats, .. } = shared;
        Self { counts: Arc::clone(connection_counts), runtime: Arc::clone(runtime), store: Arc::clone(stats) }
    }
}

/// Makes the filters that are no plugins; `key` tells an entry from all others.
fn plain_factory(
    kind: &NetworkFilterKind,
    key: (usize, usize, usize),
    secured: bool,
    parts: &FilterParts,
) -> Option<NetworkFilterFactory> {
    let FilterParts { counts, runtime, store } = parts;
    match kind {
        NetworkFilterKind::ConnectionLimit(config) => {
            Some(ConnectionLimitFilter::factory(config, (counts, key), runtime, store))
        }
        NetworkFilterKind::Rbac(config) => Some(NetworkRbacFilter::factory(config, store)),
        NetworkFilterKind::SetFilterState(config) => Some(NetworkSetFilterStateFilter::factory(config, secured)),
        NetworkFilterKind::SniCluster => Some(SniClusterFilter::factory()),
        NetworkFilterKind::DirectResponse(response) => Some(DirectResponseFilter::factory(response)),
        NetworkFilterKind::Echo => Some(EchoFilter::factory()),
        NetworkFilterKind::Wasm(_) | NetworkFilterKind::Discovered(_) => None,
    }
}

/// Makes the network filters of a plugin, which starts on this thread; nothing if connections pass without it.
fn wasm_factory(plugin: &Loaded, host: &Rc<WorkerHost>) -> Option<NetworkFilterFactory> {
    match plugin {
        Loaded::Plugin(plugin) => {
            let handle = host.plugin_handle_by_policy(plugin);
            Some(Box::new(move |callbacks| Box::new(WasmNetworkFilter::new(&handle, callbacks))))
        }
        Loaded::Failed(config) if host.lets_pass_without(config) => None,
        Loaded::Failed(_) => Some(Box::new(|callbacks| Box::new(FailedNetworkPlugin(callbacks)))),
    }
}

/// The listener of the admin interface.
pub(super) fn admin_listener(hcm: Rc<Hcm>, gate: ConnectionGate, store: &StatsStore) -> Rc<ActiveListener> {
    let chain = FilterChain {
        drain: Rc::clone(&hcm.chain_drain),
        info: Arc::new(ListenerInfo::default()),
        tls: None,
        filters: Vec::new(),
        discovered: Vec::new(),
        buffer_limit: hcm.buffer_limit,
        terminal: Terminal::Http(hcm),
    };
    Rc::new(ActiveListener {
        stats: ListenerStats::new(store, "admin"),
        configured_stats: None,
        thread_stats: ThreadListenerStats::new(store, "admin.main_thread"),
        gate,
        drain: None,
        listener_filters: ListenerFilters::default(),
        chains: vec![Rc::new(chain)],
        chain_tree: None,
        default_chain: None,
    })
}
