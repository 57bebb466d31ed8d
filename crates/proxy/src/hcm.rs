//! The HTTP connection manager of one filter chain on one worker: configuration ready for use, and stats.

use std::rc::Rc;
use std::sync::Arc;

use sandgate_config::model;
use sandgate_filter::HttpFilter;
use sandgate_http::h1::RequestOptions;

use crate::access_log::AccessLogs;
use crate::admin::AdminContext;
use crate::chain_drain::ChainDrain;
use crate::discovered_filter::DiscoveredFilter;
use crate::drain::ListenerDrain;
use crate::local_reply::LocalReplies;
use crate::route_table::{RouteEntry, Routes};
use crate::router::RouterConfig;
use crate::stats::{Http1CodecStats, Http2CodecStats, HttpListenerStats, HttpStats, TracingStats};
use crate::upgrade::{Upgrade, UpgradeChain};
use crate::worker::Worker;

/// Makes one filter for each stream.
pub(crate) type FilterFactory = Box<dyn Fn() -> Box<dyn HttpFilter>>;

/// One of `http_filters`.
pub(crate) struct FilterEntry {
    pub(crate) name: Box<str>,
    /// It runs only where a route says so.
    pub(crate) disabled: bool,
    pub(crate) make: FilterFactory,
}

/// What answers at the end of the decoder chain.
pub(crate) enum TerminalFactory {
    /// Upstream hosts.
    Router(Rc<RouterConfig>),
    /// The same, as somebody else says; by these settings while nobody has.
    Discovered(Rc<DiscoveredFilter>, Rc<RouterConfig>),
    /// The admin pages.
    Admin(Arc<AdminContext>),
}

/// The names of this node.
pub(crate) struct UserAgent {
    pub(crate) cluster: String,
    pub(crate) node: String,
}

/// One HTTP connection manager.
pub(crate) struct Hcm {
    pub(crate) config: Arc<model::HttpConnectionManager>,
    /// A stream keeps those that it found when it began.
    pub(crate) routes: Rc<Routes>,
    pub(crate) access_logs: AccessLogs,
    /// What becomes of replies that are made here, if anything.
    pub(crate) local_replies: Option<Rc<LocalReplies>>,
    /// In the order of the request; the terminal is not among them.
    pub(crate) filters: Vec<FilterEntry>,
    /// One of them has other settings on some routes, and asks for them.
    pub(crate) filters_ask_for_route: bool,
    /// What is said of requests for other protocols.
    pub(crate) upgrades: Vec<UpgradeChain>,
    pub(crate) terminal: TerminalFactory,
    pub(crate) request_options: RequestOptions,
    /// What requests are told of this node, if they are.
    pub(crate) user_agent: Option<Box<UserAgent>>,
    /// `per_connection_buffer_limit_bytes`; 0 is no limit.
    pub(crate) buffer_limit: usize,
    /// `None` is never drained: the admin interface.
    pub(crate) drain: Option<ListenerDrain>,
    /// Begins when its filter chain is replaced or removed.
    pub(crate) chain_drain: Rc<ChainDrain>,
    pub(crate) stats: HttpStats,
    /// They are zero, and shown as long as they are here. The admin interface has none.
    pub(crate) _tracing_stats: Option<TracingStats>,
    pub(crate) codec_stats: Http1CodecStats,
    pub(crate) http2_stats: Http2CodecStats,
    pub(crate) listener_http_stats: HttpListenerStats,
}

/// Those of `filters` that run for a request with that route.
pub(crate) fn make_filters<'a>(
    filters: &'a [FilterEntry],
    route: Option<&'a RouteEntry>,
) -> impl Iterator<Item = Box<dyn HttpFilter>> + use<'a> {
    let route = route.filter(|route| route.has_filter_configs());
    let runs = move |filter: &&FilterEntry| {
        let said = route.and_then(|route| route.filter_disabled(&filter.name));
        !said.unwrap_or(filter.disabled)
    };
    filters.iter().filter(runs).map(|filter| (filter.make)())
}

/// How `model` wants requests to be read.
pub(crate) fn request_options(config: &model::HttpConnectionManager) -> RequestOptions {
    let http1 = &config.http1;
    let default_host = &http1.default_host_for_http_10;
    RequestOptions {
        max_head_bytes: config.max_request_headers_kb as usize * 1024,
        max_headers: config.max_headers_count as usize,
        accept_http_10: http1.accept_http_10,
        default_host: (!default_host.is_empty()).then(|| default_host.as_bytes().to_vec()),
        enable_trailers: http1.enable_trailers,
        allow_chunked_length: http1.allow_chunked_length,
    }
}

/// Bytes that may wait for a client where `per_connection_buffer_limit_bytes` is no limit.
const DEFAULT_OUTPUT_LIMIT: usize = 1024 * 1024;

impl Hcm {
    /// Bytes that may wait for a client, of a connection over HTTP/1 and of a stream over HTTP/2.
    pub(crate) fn output_limit(&self) -> usize {
        if self.buffer_limit == 0 { DEFAULT_OUTPUT_LIMIT } else { self.buffer_limit }
    }

    /// Whether the server goes away, or the listener or this chain of it is drained.
    pub(crate) fn is_drained(&self, worker: &Worker) -> bool {
        worker.is_draining()
            || self.drain.is_some_and(|listener| worker.drain.drain_close(listener))
            || self.chain_drain.drain_close(worker.drain.options())
    }

    /// The filters of a request with that route.
    pub(crate) fn make_filters<'a>(
        &'a self,
        route: Option<&'a RouteEntry>,
        upgrade: Upgrade<'a>,
    ) -> impl Iterator<Item = Box<dyn HttpFilter>> + use<'a> {
        let filters = match upgrade {
            Upgrade::Accepted(Some(filters)) => filters,
            _ => &self.filters,
        };
        make_filters(filters, route)
    }

    /// What the filters of a stream may hold back in each direction, 0 being no limit: over HTTP/2 as much as the client may
    /// send before it was taken, as in Envoy.
    pub(crate) fn stream_buffer_limit(&self, protocol: &str) -> usize {
        if protocol == "HTTP/2" { self.config.http2.initial_stream_window_size as usize } else { self.buffer_limit }
    }

    /// Counts a response (also a 1xx) by its code.
    pub(crate) fn count_response(&self, code: u32) {
        self.stats.downstream_rq_completed().inc();
        self.listener_http_stats.downstream_rq_completed().inc();
        let (all, listener) = (&self.stats, &self.listener_http_stats);
        let counters = match code / 100 {
            1 => (all.downstream_rq_1xx(), listener.downstream_rq_1xx()),
            2 => (all.downstream_rq_2xx(), listener.downstream_rq_2xx()),
            3 => (all.downstream_rq_3xx(), listener.downstream_rq_3xx()),
            4 => (all.downstream_rq_4xx(), listener.downstream_rq_4xx()),
            5 => (all.downstream_rq_5xx(), listener.downstream_rq_5xx()),
            _ => return,
        };
        counters.0.inc();
        counters.1.inc();
    }
}
