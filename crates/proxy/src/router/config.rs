//! What routers of one place have in common: the filter's configuration, and what they count.

use sandgate_config::model;

use crate::hcm::FilterEntry;
use crate::stats::{RouterStats, StatsStore};

/// One `envoy.filters.http.router`, or the one that all requests of our own go through.
pub(crate) struct RouterConfig {
    pub(crate) filter: model::Router,
    pub(crate) stats: RouterStats,
    /// 100 responses are passed on.
    pub(crate) proxy_100_continue: bool,
    /// What attempts pass on their way to clusters without filters of their own.
    pub(crate) upstream_filters: Vec<FilterEntry>,
}

impl RouterConfig {
    /// Its stats are not shown before somebody says so.
    pub(crate) fn new(filter: model::Router, store: &StatsStore, stat_prefix: &str, proxy_100_continue: bool) -> Self {
        let stats = RouterStats::hidden(store, stat_prefix);
        Self { filter, stats, proxy_100_continue, upstream_filters: Vec::new() }
    }

    /// Of requests that nobody downstream has sent: Envoy's `async-client`.
    pub(crate) fn of_async_client(store: &StatsStore) -> Self {
        Self::new(model::Router::default(), store, "async-client", false)
    }
}
