//! From the configuration of listeners to their filter chains on this thread.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model::{self, Bootstrap, FilterChainMatch, NetworkFilter, NetworkFilterKind, TerminalFilter};
use sandgate_filter::ListenerInfo;
use sandgate_host::WorkerHost;

use super::hcm::{self, listener_stat_name};
use super::plugins::{Loaded, Place, log_plugins};
use super::thread::{Chains, LocalWorker};
use super::unit::{ChainUnit, ListenerUnit};
use super::{StartError, main_loop::Shared};
use crate::chain_drain::ChainDrain;
use crate::drain::ListenerDrain;
use crate::hcm::Hcm;
use crate::listener_filters::ListenerFilters;
use crate::listener_tls::WorkerTls;
use crate::network::{ActiveListener, FilterChain, NetworkFilterFactory, Terminal};
use crate::network_filters::{
    ConnectionLimitFilter, DirectResponseFilter, EchoFilter, NetworkRbacFilter, NetworkSetFilterStateFilter,
    SniClusterFilter,
};
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
            _configured_stats: Some(ConfiguredListenerStats::new(store, &stat_name)),
            thread_stats: ThreadListenerStats::new(store, &format!("{stat_name}.{}", self.thread)),
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
        let filters = chain.network_filters.iter().enumerate();
        let filters = filters.filter_map(|(index, filter)| self.filter(unit, index, filter, tls.is_some())).collect();
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
    ) -> Option<NetworkFilterFactory> {
        let (shared, place) = (self.shared, unit.place);
        match &filter.kind {
            NetworkFilterKind::Wasm(_) => {
                wasm_factory(unit.plugins.get(Place::Network(place.0, place.1, index))?, &self.local.host)
            }
            NetworkFilterKind::ConnectionLimit(config) => {
                let count = (&shared.connection_counts, (place.0, place.1, index));
                Some(ConnectionLimitFilter::factory(config, count, &shared.runtime, &shared.stats))
            }
            NetworkFilterKind::Rbac(config) => Some(NetworkRbacFilter::factory(config, &shared.stats)),
            NetworkFilterKind::SetFilterState(config) => Some(NetworkSetFilterStateFilter::factory(config, secured)),
            NetworkFilterKind::SniCluster => Some(SniClusterFilter::factory()),
            NetworkFilterKind::DirectResponse(response) => Some(DirectResponseFilter::factory(response)),
            NetworkFilterKind::Echo => Some(EchoFilter::factory()),
        }
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
pub(super) fn admin_listener(hcm: Rc<Hcm>, store: &StatsStore) -> Rc<ActiveListener> {
    let chain = FilterChain {
        drain: Rc::clone(&hcm.chain_drain),
        info: Arc::new(ListenerInfo::default()),
        tls: None,
        filters: Vec::new(),
        buffer_limit: hcm.buffer_limit,
        terminal: Terminal::Http(hcm),
    };
    Rc::new(ActiveListener {
        stats: ListenerStats::new(store, "admin"),
        _configured_stats: None,
        thread_stats: ThreadListenerStats::new(store, "admin.main_thread"),
        drain: None,
        listener_filters: ListenerFilters::default(),
        chains: vec![Rc::new(chain)],
        chain_tree: None,
        default_chain: None,
    })
}
