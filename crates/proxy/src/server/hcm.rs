//! From the configuration of a connection manager to one on this thread.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model::{self, Bootstrap, DiscoveredKind, ExtensionDiscovery, HttpFilterKind, RouteConfiguration};
use sandgate_host::{PluginHandle, WorkerHost};

use super::StartError;
use super::extensions::ProvidedConfig;
use super::plugins::{Loaded, Place, Plugins};
use super::thread::{FilterMaker, LocalWorker, PlacedFilter};
use super::unit::{ChainPlace, ChainUnit, FilterPlace};
use crate::access_log::AccessLogs;
use crate::admin::AdminContext;
use crate::chain_drain::ChainDrain;
use crate::discovered_filter::{Discovered, DiscoveredFilter};
use crate::drain::ListenerDrain;
use crate::hcm::{FilterEntry, FilterFactory, Hcm, TerminalFactory, UserAgent, request_options};
use crate::health_check_filter::HealthCheckFilters;
use crate::local_reply::LocalReplies;
use crate::rbac_filter::RbacFilter;
use crate::route_table::{RouteTable, Routes};
use crate::router::RouterConfig;
use crate::state_filters::{set_filter_state_factory, set_metadata_factory};
use crate::stats::{Http1CodecStats, Http2CodecStats, HttpListenerStats, HttpStats, StatsStore, TracingStats};
use crate::upgrade::UpgradeChain;
use crate::wasm_filter::{FailedPlugin, WasmFilter};
use crate::worker::Worker;

/// The connection manager that a filter chain ends in.
pub(super) fn build(
    unit: &ChainUnit,
    (listener, config, chain_drain): (&model::Listener, &model::HttpConnectionManager, &Rc<ChainDrain>),
    bootstrap: &Bootstrap,
    checks: &HealthCheckFilters,
    local: &LocalWorker,
    store: &Arc<StatsStore>,
) -> Result<Rc<Hcm>, StartError> {
    let config = Arc::new(config.clone());
    // Their plugins start before those of filters, as in Envoy.
    let access_logs =
        AccessLogs::new(&config.access_logs, config.access_log_options, &local.worker.logs, &local.worker.runtime);
    let mut chains = Chains {
        place: unit.place,
        plugins: &unit.plugins,
        checks,
        local,
        store,
        stat_prefix: &config.stat_prefix,
        next: 0,
        unit,
        proxy_100_continue: config.proxy_100_continue,
        ask_for_route: false,
        router: model::Router::default(),
        discovered_last: None,
    };
    let filters = chains.build(&config.http_filters)?;
    let upstream_filters = std::mem::take(&mut chains.router.upstream_http_filters);
    let upstream_filters = chains.build(&upstream_filters)?;
    let mut upgrades = Vec::new();
    for upgrade in &config.upgrades {
        let own = upgrade.filters.as_deref().map(|filters| chains.build(filters)).transpose()?;
        upgrades.push(UpgradeChain::new(upgrade, own));
    }
    let filters_ask_for_route = chains.ask_for_route;
    let discovered_last = chains.discovered_last;
    let mut router = RouterConfig::new(chains.router, store, &config.stat_prefix, config.proxy_100_continue);
    router.upstream_filters = upstream_filters;
    router.stats.show();
    let node = &bootstrap.node;
    let router = Rc::new(router);
    let terminal = match discovered_last {
        Some(filter) => TerminalFactory::Discovered(filter, router),
        None => TerminalFactory::Router(router),
    };
    let user_agent = (config.add_user_agent && !node.cluster.is_empty())
        .then(|| Box::new(UserAgent { cluster: node.cluster.clone(), node: node.id.clone() }));
    let stat_name = listener_stat_name(listener);
    let routes = match &unit.routes {
        Some(provider) => local.routes.of(provider, store),
        None => Routes::new(RouteTable::new(&config.route_config, store)),
    };
    Ok(assemble(Parts {
        access_logs,
        config,
        filters,
        filters_ask_for_route,
        upgrades,
        terminal,
        buffer_limit: listener.per_connection_buffer_limit_bytes as usize,
        user_agent,
        drain: Some(ListenerDrain::new(listener)),
        chain_drain: Rc::clone(chain_drain),
        routes,
        stat_name: &stat_name,
        store,
        worker: &local.worker,
    }))
}

/// Makes the chains of one connection manager. The filters of all of them are counted through, as when the plugins are loaded.
struct Chains<'a> {
    /// Of the filter chain.
    place: ChainPlace,
    plugins: &'a Plugins,
    checks: &'a HealthCheckFilters,
    local: &'a LocalWorker,
    store: &'a Arc<StatsStore>,
    /// The connection manager's.
    stat_prefix: &'a str,
    next: usize,
    unit: &'a ChainUnit,
    proxy_100_continue: bool,
    /// One of the filters has other settings on some routes.
    ask_for_route: bool,
    router: model::Router,
    /// The filter at the end if it is such a one.
    discovered_last: Option<Rc<DiscoveredFilter>>,
}

impl Chains<'_> {
    fn build(&mut self, filters: &[model::HttpFilter]) -> Result<Vec<FilterEntry>, StartError> {
        let mut entries = Vec::new();
        for filter in filters {
            let place = self.next;
            self.next += 1;
            let make = match &filter.kind {
                HttpFilterKind::Router(config) => {
                    self.router = config.clone();
                    continue;
                }
                HttpFilterKind::Discovered(discovery) => {
                    let Some(make) = self.discovered(place, &filter.name, discovery) else { continue };
                    make
                }
                HttpFilterKind::Wasm(_) => {
                    let place = Place::Listener(self.place.0, self.place.1, place);
                    let Some(plugin) = self.plugins.get(place) else { continue };
                    match plugin_factory(&filter.name, plugin, &self.local.host) {
                        Some(make) => make,
                        None => continue,
                    }
                }
                kind => {
                    self.ask_for_route |= matches!(kind, HttpFilterKind::Rbac(_));
                    let key = (self.place.0, self.place.1, place);
                    match plain_factory(&filter.name, kind, key, self.stat_prefix, (self.checks, self.store)) {
                        Some(make) => make,
                        None => continue,
                    }
                }
            };
            entries.push(FilterEntry { name: filter.name.as_str().into(), disabled: filter.disabled, make });
        }
        Ok(entries)
    }
}

impl Chains<'_> {
    /// A filter at that place whose configuration comes from elsewhere.
    fn discovered(&mut self, place: usize, name: &str, discovery: &ExtensionDiscovery) -> Option<FilterFactory> {
        let slot = self.unit.extension(FilterPlace::Http(place))?;
        let settings = (self.stat_prefix, self.proxy_100_continue);
        let placed = self.local.extensions.add(slot, name, settings, (self.checks, self.store, &self.local.host));
        if discovery.is_last {
            self.discovered_last = Some(Rc::clone(&placed.filter));
        }
        // What it will be is not known yet.
        self.ask_for_route |= discovery.type_urls.iter().any(|url| url == RBAC);
        Some(Box::new(move || placed.filter.make()))
    }
}

/// The one filter that asks for its settings on a route.
const RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";

/// What a filter of that configuration is on this thread.
pub(super) fn discovered(
    placed: &PlacedFilter,
    config: &ProvidedConfig,
    (checks, store, host): FilterMaker<'_>,
) -> Discovered {
    let PlacedFilter { name, stat_prefix, proxy_100_continue, .. } = placed;
    // Nothing else has this category.
    let DiscoveredKind::Http(kind) = &config.kind else { return Discovered::Missing };
    match kind {
        HttpFilterKind::Router(router) => {
            let router = RouterConfig::new(router.clone(), store, stat_prefix, *proxy_100_continue);
            router.stats.show();
            Discovered::Router(Rc::new(router))
        }
        HttpFilterKind::Wasm(_) => {
            let plugin = config.plugins.get(Place::Discovered);
            let make = plugin.and_then(|plugin| plugin_factory(name, plugin, host));
            make.map_or(Discovered::Absent, Discovered::Filter)
        }
        kind => {
            // Listeners come from zero: no other filter has this key.
            let key = (usize::MAX, usize::try_from(config.id).unwrap_or(usize::MAX), 0);
            let make = plain_factory(name, kind, key, stat_prefix, (checks, store));
            make.map_or(Discovered::Missing, Discovered::Filter)
        }
    }
}

/// Makes the filters that need nothing but their configuration; `key` tells an entry from all others.
fn plain_factory(
    name: &str,
    kind: &HttpFilterKind,
    key: (usize, usize, usize),
    stat_prefix: &str,
    (checks, store): (&HealthCheckFilters, &Arc<StatsStore>),
) -> Option<FilterFactory> {
    match kind {
        HttpFilterKind::HealthCheck(config) => Some(checks.factory(key, name, config)),
        HttpFilterKind::SetMetadata(config) => Some(set_metadata_factory(name, config)),
        HttpFilterKind::SetFilterState(config) => Some(set_filter_state_factory(name, config)),
        HttpFilterKind::Rbac(config) => Some(RbacFilter::factory(name, config, stat_prefix, store)),
        HttpFilterKind::Wasm(_) | HttpFilterKind::Router(_) | HttpFilterKind::Discovered(_) => None,
    }
}

/// What a listener is called in the names of its stats.
pub(super) fn listener_stat_name(listener: &model::Listener) -> String {
    if listener.stat_prefix.is_empty() {
        listener.address.to_string().replace(':', "_")
    } else {
        listener.stat_prefix.clone()
    }
}

/// The connection manager of the admin interface.
pub(super) fn build_admin(
    context: &Arc<AdminContext>,
    logs: Vec<model::AccessLog>,
    worker: &Worker,
    store: &StatsStore,
) -> Rc<Hcm> {
    let mut config = model::HttpConnectionManager::new("admin", RouteConfiguration::default(), Vec::new());
    // As Envoy's: nobody in front of it is trusted, and a request id is of no use.
    config.use_remote_address = true;
    config.generate_request_id = false;
    config.access_logs = logs;
    assemble(Parts {
        access_logs: AccessLogs::new(&config.access_logs, config.access_log_options, &worker.logs, &worker.runtime),
        config: Arc::new(config),
        filters: Vec::new(),
        filters_ask_for_route: false,
        upgrades: Vec::new(),
        terminal: TerminalFactory::Admin(Arc::clone(context)),
        buffer_limit: 1024 * 1024,
        user_agent: None,
        drain: None,
        chain_drain: Rc::default(),
        routes: Rc::default(),
        stat_name: "admin",
        store,
        worker,
    })
}

struct Parts<'a> {
    access_logs: AccessLogs,
    config: Arc<model::HttpConnectionManager>,
    filters: Vec<FilterEntry>,
    filters_ask_for_route: bool,
    upgrades: Vec<UpgradeChain>,
    terminal: TerminalFactory,
    buffer_limit: usize,
    user_agent: Option<Box<UserAgent>>,
    drain: Option<ListenerDrain>,
    chain_drain: Rc<ChainDrain>,
    routes: Rc<Routes>,
    stat_name: &'a str,
    store: &'a StatsStore,
    worker: &'a Worker,
}

fn assemble(parts: Parts<'_>) -> Rc<Hcm> {
    let Parts {
        access_logs,
        config,
        filters,
        filters_ask_for_route,
        upgrades,
        terminal,
        buffer_limit,
        user_agent,
        drain,
        chain_drain,
        routes,
        stat_name,
        store,
        worker,
    } = parts;
    let http_name = format!("{stat_name}.http.{}", config.stat_prefix);
    Rc::new(Hcm {
        local_replies: config.local_reply.as_ref().and_then(|config| LocalReplies::new(config, &worker.runtime)),
        access_logs,
        routes,
        chain_drain,
        filters,
        filters_ask_for_route,
        upgrades,
        terminal,
        request_options: request_options(&config),
        user_agent,
        buffer_limit,
        stats: HttpStats::new(store, &config.stat_prefix),
        _tracing_stats: drain.is_some().then(|| TracingStats::new(store, &config.stat_prefix)),
        drain,
        codec_stats: Http1CodecStats::hidden(store, ""),
        http2_stats: Http2CodecStats::hidden(store, ""),
        listener_http_stats: HttpListenerStats::new(store, &http_name),
        config,
    })
}

/// Makes the filters of a plugin, which starts on this thread; nothing if streams pass without it.
pub(super) fn plugin_factory(name: &str, plugin: &Loaded, host: &Rc<WorkerHost>) -> Option<FilterFactory> {
    match plugin {
        Loaded::Plugin(plugin) => Some(wasm_factory(name, host.plugin_handle_by_policy(plugin))),
        Loaded::Failed(config) if host.lets_pass_without(config) => None,
        Loaded::Failed(_) => {
            let name: Rc<str> = name.into();
            Some(Box::new(move || Box::new(FailedPlugin(Rc::clone(&name)))))
        }
    }
}

/// Makes the filters of a plugin that runs on this thread.
pub(super) fn wasm_factory(name: &str, handle: Rc<PluginHandle>) -> FilterFactory {
    let name: Rc<str> = name.into();
    Box::new(move || Box::new(WasmFilter::new(Rc::clone(&name), Rc::clone(&handle))))
}
