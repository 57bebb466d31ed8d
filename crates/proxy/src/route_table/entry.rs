//! From the configuration of a route to what a stream needs to know of it.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sandgate_config::model::{
    ClusterSpecifier, ClusterWeight, ClusterWeightTarget, HeaderMutations, HostRewrite, MetadataCriteria, PathRewrite,
    PerFilterConfig, PerFilterKind, RedirectPath, Route, RouteAction, RouteConfiguration, RouteKind, VirtualHost,
};
use sandgate_filter::{LocalReplyHeaders, Stream, StreamRoute};
use sandgate_formatter::FormatContext;
use sandgate_http::{Direction, HeaderMap, HeaderMapKind};

use super::cluster_choice::{ClusterChoice, Weighted, WeightedEntry};
use super::header_mutator::{HeaderMutator, with_headers};
use super::matcher::RouteMatcher;
use super::redirect::new_url;
use super::rewrite::{self, Rewrite};
use super::{CompiledHost, RequestScope, RouteEntry, Target, VirtualCluster, VirtualClusters};
use crate::rbac_filter::RbacRouteConfig;
use crate::router::ForwardPolicy;
use crate::stats::StatsStore;

/// What all routes of a table have in common.
pub(super) struct TableScope<'a> {
    store: &'a StatsStore,
    request_headers: Rc<HeaderMutations>,
    response_headers: Rc<HeaderMutations>,
    most_specific_wins: bool,
    per_filter: Vec<RouteFilter>,
}

/// What all routes of a virtual host have in common.
pub(super) struct HostScope<'a> {
    table: &'a TableScope<'a>,
    virtual_clusters: Option<Rc<VirtualClusters>>,
    name: Arc<str>,
    metadata: Bytes,
    request_headers: Rc<HeaderMutations>,
    response_headers: Rc<HeaderMutations>,
    per_filter: Vec<RouteFilter>,
}

/// What a route, or what it is part of, says of a filter.
#[derive(Clone, Debug)]
pub(super) struct RouteFilter {
    filter: Box<str>,
    disabled: bool,
    config: Option<Rc<dyn Any>>,
}

/// An answer that a route gives itself.
pub(crate) struct DirectReply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// `location`, where the status speaks of another address, and what the route adds.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
}

// === impl TableScope ===

impl<'a> TableScope<'a> {
    pub(super) fn new(config: &RouteConfiguration, store: &'a StatsStore) -> Self {
        Self {
            store,
            request_headers: Rc::new(config.request_headers.clone()),
            response_headers: Rc::new(config.response_headers.clone()),
            most_specific_wins: config.most_specific_header_mutations_wins,
            per_filter: route_filters(&config.per_filter),
        }
    }
}

// === impl HostScope ===

impl<'a> HostScope<'a> {
    pub(super) fn new(table: &'a TableScope<'a>, host: &VirtualHost) -> Self {
        Self {
            table,
            virtual_clusters: VirtualClusters::new(table.store, host),
            name: host.name.as_str().into(),
            metadata: host.metadata.as_deref().map(Bytes::copy_from_slice).unwrap_or_default(),
            request_headers: Rc::new(host.request_headers.clone()),
            response_headers: Rc::new(host.response_headers.clone()),
            per_filter: route_filters(&host.per_filter),
        }
    }

    pub(super) fn compile(&self, host: &VirtualHost) -> CompiledHost {
        let routes = host.routes.iter().map(|route| (RouteMatcher::new(&route.matcher), self.choice(route)));
        CompiledHost {
            routes: routes.collect(),
            require_tls: host.require_tls,
            tls_redirect: Rc::new(self.bare_entry(Target::TlsRedirect)),
        }
    }

    fn choice(&self, route: &Route) -> ClusterChoice {
        let entry = |target, weight| Rc::new(self.entry(route, target, weight));
        let action = match &route.kind {
            RouteKind::Route(action) => action,
            RouteKind::DirectResponse(response) => {
                return ClusterChoice::Fixed(entry(Target::DirectResponse(response.clone()), None));
            }
            RouteKind::Redirect(redirect) => {
                return ClusterChoice::Fixed(entry(Target::Redirect(Rc::new(redirect.clone())), None));
            }
            // To no cluster: the answer is that there is none (observed in Envoy 1.40).
            RouteKind::NonForwarding => &RouteAction::new(""),
        };
        match &action.cluster {
            ClusterSpecifier::Cluster(name) => ClusterChoice::Fixed(entry(Target::cluster(name, action), None)),
            ClusterSpecifier::Header(name) => {
                ClusterChoice::Header { name: name.as_bytes().into(), entry: entry(Target::cluster("", action), None) }
            }
            ClusterSpecifier::Weighted(weighted) => {
                let clusters = weighted.clusters.iter().map(|weight| {
                    let choice = match &weight.cluster {
                        ClusterWeightTarget::Name(name) => {
                            ClusterChoice::Fixed(entry(Target::cluster(name, action), Some(weight)))
                        }
                        ClusterWeightTarget::Header(name) => ClusterChoice::Header {
                            name: name.as_bytes().into(),
                            entry: entry(Target::cluster("", action), Some(weight)),
                        },
                    };
                    let prefix = &weighted.runtime_key_prefix;
                    let name = match &weight.cluster {
                        ClusterWeightTarget::Name(name) => name.as_str(),
                        ClusterWeightTarget::Header(_) => "",
                    };
                    let runtime_key = (!prefix.is_empty()).then(|| format!("{prefix}.{name}"));
                    WeightedEntry { weight: weight.weight, runtime_key, choice }
                });
                let header = weighted.header_name.as_ref().map(|name| name.as_bytes().into());
                ClusterChoice::Weighted(Weighted { clusters: clusters.collect(), header })
            }
        }
    }

    /// An entry of the virtual host alone.
    fn bare_entry(&self, target: Target) -> RouteEntry {
        RouteEntry {
            virtual_host: Arc::clone(&self.name),
            virtual_host_metadata: self.metadata.clone(),
            ..RouteEntry::bare(target)
        }
    }

    fn entry(&self, route: &Route, target: Target, weight: Option<&ClusterWeight>) -> RouteEntry {
        let own = (Rc::new(route.request_headers.clone()), Rc::new(route.response_headers.clone()));
        let weighted =
            weight.map(|weight| (Rc::new(weight.request_headers.clone()), Rc::new(weight.response_headers.clone())));
        let mut per_filter = weight.map(|weight| route_filters(&weight.per_filter)).unwrap_or_default();
        per_filter.extend(route_filters(&route.per_filter));
        for level in [&self.per_filter, &self.table.per_filter] {
            per_filter.extend(level.iter().cloned());
        }
        RouteEntry {
            name: route.name.as_str().into(),
            metadata: route.metadata.as_deref().map(Bytes::copy_from_slice).unwrap_or_default(),
            // A weighted cluster's changes come first, whoever wins among the others.
            request_headers: HeaderMutator::new(weighted.iter().map(|(request, _)| request).chain(self.in_order([
                &self.table.request_headers,
                &self.request_headers,
                &own.0,
            ]))),
            response_headers: HeaderMutator::new(weighted.iter().map(|(_, response)| response).chain(self.in_order([
                &self.table.response_headers,
                &self.response_headers,
                &own.1,
            ]))),
            rewrite: rewrite_of(route).map(Rc::new),
            metadata_match: match (weight, &route.kind) {
                (Some(weight), _) => weight.metadata_match.clone(),
                (None, RouteKind::Route(action)) => action.metadata_match.clone(),
                (None, _) => None,
            },
            cluster_host_rewrite: weight.and_then(|weight| weight.host_rewrite.as_deref()).map(Rc::from),
            virtual_clusters: self.virtual_clusters.clone(),
            scope: (!route.stat_prefix.is_empty())
                .then(|| RequestScope::new(self.table.store, &format!("{}.route.{}", self.name, route.stat_prefix))),
            per_filter: per_filter.into(),
            ..self.bare_entry(target)
        }
    }

    /// The levels, given from the least to the most specific, in the order in which they are applied.
    fn in_order<'s>(&self, mut levels: [&'s Rc<HeaderMutations>; 3]) -> [&'s Rc<HeaderMutations>; 3] {
        if !self.table.most_specific_wins {
            levels.reverse();
        }
        levels
    }
}

fn rewrite_of(route: &Route) -> Option<Rewrite> {
    let matched = route.matcher.path.clone();
    match &route.kind {
        RouteKind::Route(action) => {
            let keeps = action.path_rewrite == PathRewrite::Keep && action.host_rewrite == HostRewrite::Keep;
            (!keeps).then(|| Rewrite {
                path: action.path_rewrite.clone(),
                host: action.host_rewrite.clone(),
                append_x_forwarded_host: action.append_x_forwarded_host,
                matched,
            })
        }
        RouteKind::Redirect(redirect) if matches!(redirect.path, RedirectPath::Prefix(_) | RedirectPath::Regex(_)) => {
            let (path, host) = (PathRewrite::Keep, HostRewrite::Keep);
            Some(Rewrite { path, host, append_x_forwarded_host: false, matched })
        }
        _ => None,
    }
}

/// Ready for use on this worker.
fn route_filters(configs: &[PerFilterConfig]) -> Vec<RouteFilter> {
    let filters = configs.iter().map(|config| RouteFilter {
        filter: config.filter.as_str().into(),
        disabled: config.disabled,
        config: config.config.as_ref().map(|config| match config {
            PerFilterKind::Rbac(rbac) => Rc::new(RbacRouteConfig::new(rbac)) as Rc<dyn Any>,
        }),
    });
    filters.collect()
}

// === impl Target ===

impl Target {
    fn cluster(name: &str, action: &RouteAction) -> Self {
        Self::Cluster {
            name: name.to_owned(),
            not_found: action.cluster_not_found_response_code,
            policy: Rc::new(ForwardPolicy::new(action)),
            idle_timeout: action.idle_timeout,
        }
    }
}

// === impl RouteEntry ===

impl RouteEntry {
    fn bare(target: Target) -> Self {
        Self {
            name: "".into(),
            virtual_host: "".into(),
            metadata: Bytes::new(),
            virtual_host_metadata: Bytes::new(),
            target,
            request_headers: HeaderMutator::default(),
            response_headers: HeaderMutator::default(),
            rewrite: None,
            metadata_match: None,
            cluster_host_rewrite: None,
            virtual_clusters: None,
            scope: None,
            per_filter: Rc::default(),
        }
    }

    /// A route of no table, for requests of our own: to this cluster, as `action` says, and nothing else.
    pub(crate) fn unlisted(cluster: &str, action: &RouteAction) -> Rc<Self> {
        Rc::new(Self::bare(Target::cluster(cluster, action)))
    }

    /// The same route to another cluster.
    pub(super) fn with_cluster(&self, cluster: &str) -> Self {
        let mut entry = self.clone();
        if let Target::Cluster { name, .. } = &mut entry.target {
            cluster.clone_into(name);
        }
        entry
    }

    /// What is asked of hosts where a cluster has subsets of them.
    pub(crate) fn metadata_match(&self) -> Option<&Arc<MetadataCriteria>> {
        self.metadata_match.as_ref()
    }

    /// What a request with these headers belongs to, if the virtual host counts by that.
    pub(crate) fn virtual_cluster(&self, headers: &HeaderMap) -> Option<&VirtualCluster> {
        Some(self.virtual_clusters.as_ref()?.of(headers))
    }

    /// Whether the route lets requests have another protocol; `None` if it says nothing of it.
    pub(crate) fn upgrade(&self, name: &[u8]) -> Option<bool> {
        let Target::Cluster { policy, .. } = &self.target else { return None };
        policy
            .upgrades
            .iter()
            .find(|upgrade| upgrade.upgrade_type.as_bytes().eq_ignore_ascii_case(name))
            .map(|u| u.enabled)
    }

    /// What the route's requests are counted by, if that is wanted.
    pub(crate) fn scope(&self) -> Option<&Rc<RequestScope>> {
        self.scope.as_ref()
    }

    /// Whether a filter is off, or on though the chain has it off; `None` if nothing is said of it.
    pub(crate) fn filter_disabled(&self, filter: &str) -> Option<bool> {
        self.per_filter.iter().find(|config| *config.filter == *filter).map(|config| config.disabled)
    }

    /// Whether anything is said of any filter.
    pub(crate) fn has_filter_configs(&self) -> bool {
        !self.per_filter.is_empty()
    }

    /// Makes a request ready for the upstream: adds and removes headers, then rewrites host and path, as Envoy's
    /// `finalizeRequestHeaders`. With `keep_original`, what they were stays in `x-envoy-original-…`. Returns whether anything
    /// was to be done.
    pub(crate) fn finalize_request_headers(
        &self,
        headers: &mut HeaderMap,
        stream: &Stream,
        keep_original: bool,
        now: Instant,
    ) -> bool {
        if self.request_headers.is_empty() && self.rewrite.is_none() && self.cluster_host_rewrite.is_none() {
            return false;
        }
        let info = stream.info();
        let base = FormatContext::new(&info, stream.connection(), now);
        self.request_headers.evaluate(headers, base, Direction::Request);
        if let Some(host) = &self.cluster_host_rewrite {
            headers.set(b":authority", host.as_bytes());
        }
        if let Some(rewrite) = &self.rewrite {
            rewrite.apply(headers, keep_original, base);
        }
        true
    }

    /// The host that requests will have, as far as it is another one and known before a host is chosen.
    pub(crate) fn new_host(&self, headers: &HeaderMap, stream: &Stream, now: Instant) -> Option<Vec<u8>> {
        if let Some(host) = &self.cluster_host_rewrite {
            return Some(host.as_bytes().to_vec());
        }
        let info = stream.info();
        self.rewrite.as_ref()?.new_host(headers, FormatContext::new(&info, stream.connection(), now))
    }

    /// Whether the host becomes the name of the chosen upstream host.
    pub(crate) fn rewrites_host_by_upstream(&self) -> bool {
        self.rewrite.as_ref().is_some_and(|rewrite| rewrite.host == HostRewrite::Auto)
    }

    /// Sets the host to the name of the chosen upstream host, if the route wants that.
    pub(crate) fn rewrite_host(&self, headers: &mut HeaderMap, hostname: &str, keep_original: bool) {
        if let Some(rewrite) = &self.rewrite
            && rewrite.host == HostRewrite::Auto
            && !hostname.is_empty()
        {
            rewrite::set_host(headers, hostname.as_bytes(), rewrite.append_x_forwarded_host, keep_original);
        }
    }

    /// Whether local replies are changed. An answer of the route itself is, but by the router.
    pub(crate) fn changes_local_replies(&self) -> bool {
        !self.response_headers.is_empty() && matches!(self.target, Target::Cluster { .. })
    }

    /// Adds and removes headers of a response: Envoy's `finalizeResponseHeaders`.
    pub(crate) fn finalize_response_headers(&self, headers: &mut HeaderMap, stream: &Stream, now: Instant) {
        if self.response_headers.is_empty() {
            return;
        }
        let request = stream.headers(Direction::Request);
        let info = stream.info();
        let base = FormatContext {
            request_headers: request.as_deref(),
            ..FormatContext::new(&info, stream.connection(), now)
        };
        self.response_headers.evaluate(headers, base, Direction::Response);
    }

    /// The answer of a route that forwards nowhere. A redirect may change the request's path on the way, as Envoy's does.
    pub(crate) fn direct_reply(&self, stream: &Stream, keep_original: bool, now: Instant) -> Option<DirectReply> {
        let (redirect, status, body) = match &self.target {
            Target::Cluster { .. } => return None,
            Target::DirectResponse(response) => (None, response.status, response.body.clone()),
            Target::Redirect(redirect) => (Some(redirect), redirect.status, Bytes::new()),
            Target::TlsRedirect => (None, 301, Bytes::new()),
        };
        if let (Some(redirect), Some(rewrite)) = (redirect, &self.rewrite)
            && let Some(mut headers) = stream.headers_mut(Direction::Request)
        {
            rewrite::apply_redirect(&redirect.path, &rewrite.matched, &mut headers, keep_original);
        }
        let headers = stream.headers(Direction::Request);
        let location =
            headers.as_deref().filter(|_| status == 201 || (300..400).contains(&status)).and_then(|headers| {
                if matches!(self.target, Target::TlsRedirect) {
                    let part = |name: &[u8]| headers.get(name).unwrap_or_default();
                    return Some([b"https://", part(b":authority"), part(b":path")].concat());
                }
                let info = stream.info();
                let base = FormatContext::new(&info, stream.connection(), now);
                new_url(redirect.map(|redirect| &**redirect), headers, &with_headers(base, headers, Direction::Request))
            });
        drop(headers);
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
        if let Some(location) = location {
            headers.append(b"location", &location);
        }
        self.finalize_response_headers(&mut headers, stream, now);
        Some(DirectReply { status, body, headers: headers.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect() })
    }
}

impl LocalReplyHeaders for RouteEntry {
    fn modify(&self, headers: &mut HeaderMap, stream: &Stream) {
        self.finalize_response_headers(headers, stream, Instant::now());
    }
}

impl StreamRoute for RouteEntry {
    fn filter_config(&self, filter: &str) -> Option<Rc<dyn Any>> {
        let configs = self.per_filter.iter().filter(|config| *config.filter == *filter);
        configs.filter_map(|config| config.config.clone()).next()
    }
}
