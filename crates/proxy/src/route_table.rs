//! Routes, compiled for one worker.

mod cluster_choice;
mod entry;
mod header_mutator;
mod matcher;
mod redirect;
mod request_scope;
mod rewrite;
mod routes;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sandgate_config::model::{
    ClusterNotFoundResponseCode, DirectResponse, Domain, MetadataCriteria, RedirectAction, RouteConfiguration,
    TlsRequirement,
};
use sandgate_filter::Stream;
use sandgate_http::HeaderMap;

use self::cluster_choice::ClusterChoice;
use self::entry::{HostScope, RouteFilter, TableScope};
use self::header_mutator::HeaderMutator;
use self::matcher::{RouteInput, RouteMatcher};
use self::rewrite::Rewrite;
use crate::router::ForwardPolicy;
use crate::stats::StatsStore;

pub(crate) use self::cluster_choice::Chance;
pub(crate) use self::request_scope::{RequestScope, RequestScopes, VirtualCluster, VirtualClusters};
pub(crate) use self::routes::Routes;
pub(crate) use header_mutator::mutate_headers;

/// A route configuration ready to be searched.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    hosts: Vec<CompiledHost>,
    exact: HashMap<String, usize>,
    /// Longest first.
    suffixes: Vec<(String, usize)>,
    /// Longest first.
    prefixes: Vec<(String, usize)>,
    any: Option<usize>,
    ignore_port: bool,
    /// The header to match domains with, if it is not `host`.
    host_header: Option<Box<[u8]>>,
    /// Paths are matched without what follows `;`.
    ignore_path_parameters: bool,
}

#[derive(Debug)]
struct CompiledHost {
    routes: Vec<(RouteMatcher, ClusterChoice)>,
    require_tls: TlsRequirement,
    /// For those who must come by TLS.
    tls_redirect: Rc<RouteEntry>,
}

/// A route and what a stream needs to know of it. Strings are this worker's own, so that counting references to them
/// stays on its core.
#[derive(Clone, Debug)]
pub(crate) struct RouteEntry {
    pub(crate) name: Arc<str>,
    pub(crate) virtual_host: Arc<str>,
    /// Serialized metadata; empty if there is none.
    pub(crate) metadata: Bytes,
    /// Serialized metadata of the virtual host; empty if there is none.
    pub(crate) virtual_host_metadata: Bytes,
    pub(crate) target: Target,
    request_headers: HeaderMutator,
    response_headers: HeaderMutator,
    /// `None` if the request stays as it is.
    rewrite: Option<Rc<Rewrite>>,
    /// What is asked of hosts where a cluster has subsets of them.
    metadata_match: Option<Arc<MetadataCriteria>>,
    /// Set before the rewrite: a weighted cluster's own.
    cluster_host_rewrite: Option<Rc<str>>,
    /// What requests are counted by, besides the cluster.
    virtual_clusters: Option<Rc<VirtualClusters>>,
    scope: Option<Rc<RequestScope>>,
    /// From the most to the least specific; empty if nothing is said of any filter, as mostly.
    per_filter: Rc<[RouteFilter]>,
}

/// What a route does.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Cluster {
        name: String,
        not_found: ClusterNotFoundResponseCode,
        /// How requests are forwarded.
        policy: Rc<ForwardPolicy>,
        /// Replaces the stream idle timeout if set; zero turns it off.
        idle_timeout: Option<Duration>,
    },
    DirectResponse(DirectResponse),
    Redirect(Rc<RedirectAction>),
    /// To the same address by TLS.
    TlsRedirect,
}

impl RouteTable {
    pub(crate) fn new(config: &RouteConfiguration, store: &StatsStore) -> Self {
        let mut table = Self {
            ignore_port: config.ignore_port_in_host_matching,
            host_header: config.vhost_header.as_ref().map(|name| name.as_bytes().into()),
            ignore_path_parameters: config.ignore_path_parameters_in_path_matching,
            ..Self::default()
        };
        let scope = TableScope::new(config, store);
        for host in &config.virtual_hosts {
            let index = table.hosts.len();
            table.hosts.push(HostScope::new(&scope, host).compile(host));
            for domain in &host.domains {
                match domain {
                    Domain::Exact(name) => {
                        table.exact.entry(name.clone()).or_insert(index);
                    }
                    Domain::Suffix(suffix) => table.suffixes.push((suffix.clone(), index)),
                    Domain::Prefix(prefix) => table.prefixes.push((prefix.clone(), index)),
                    Domain::Any => {
                        table.any.get_or_insert(index);
                    }
                }
            }
        }
        // Stable: among equally long ones the first of the configuration stays first.
        table.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        table.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        table
    }

    /// The route of a request.
    pub(crate) fn find(&self, headers: &HeaderMap, stream: &Stream, chance: Chance<'_>) -> Option<Rc<RouteEntry>> {
        // Envoy finds no route for a request without `x-forwarded-proto`, which a filter may have removed.
        let protocol = headers.get(b"x-forwarded-proto").filter(|protocol| !protocol.is_empty())?;
        let host = self.host_of(headers)?;
        if host.wants_tls(headers, protocol) {
            return Some(Rc::clone(&host.tls_redirect));
        }
        let input = RouteInput::new(headers, stream, self.ignore_path_parameters, chance);
        let (_, choice) = host.routes.iter().find(|(matcher, _)| matcher.matches(&input))?;
        choice.choose(headers, chance)
    }

    /// Name and metadata of the virtual host of a request that has no route.
    pub(crate) fn virtual_host(&self, headers: &HeaderMap) -> Option<(Arc<str>, Bytes)> {
        // What every virtual host has is an entry of its own.
        let host = &self.host_of(headers)?.tls_redirect;
        Some((Arc::clone(&host.virtual_host), host.virtual_host_metadata.clone()))
    }

    fn host_of(&self, headers: &HeaderMap) -> Option<&CompiledHost> {
        match &self.host_header {
            Some(name) => self.host(headers.get(name)?),
            None => self.host(headers.get(b":authority").unwrap_or_default()),
        }
    }

    fn host(&self, authority: &[u8]) -> Option<&CompiledHost> {
        let index = match self.any {
            Some(any) if self.hosts.len() == 1 && self.exact.is_empty() => Some(any),
            any => self.host_index(authority).or(any),
        };
        self.hosts.get(index?)
    }

    fn host_index(&self, authority: &[u8]) -> Option<usize> {
        let authority = if self.ignore_port { without_port(authority) } else { authority };
        let name = String::from_utf8_lossy(authority).to_ascii_lowercase();
        if let Some(index) = self.exact.get(&name) {
            return Some(*index);
        }
        let longer = |pattern: &str| name.len() > pattern.len();
        let suffix = self.suffixes.iter().find(|(suffix, _)| longer(suffix) && name.ends_with(suffix.as_str()));
        let prefix = || self.prefixes.iter().find(|(prefix, _)| longer(prefix) && name.starts_with(prefix.as_str()));
        suffix.or_else(prefix).map(|(_, index)| *index)
    }
}

impl CompiledHost {
    fn wants_tls(&self, headers: &HeaderMap, protocol: &[u8]) -> bool {
        match self.require_tls {
            TlsRequirement::None => false,
            _ if protocol == b"https" => false,
            TlsRequirement::All => true,
            TlsRequirement::ExternalOnly => headers.get(b"x-envoy-internal") != Some(b"true"),
        }
    }
}

/// `host` of `host:port`; brackets of an IPv6 address stay.
fn without_port(authority: &[u8]) -> &[u8] {
    let bracket = authority.iter().rposition(|byte| *byte == b']');
    match authority.iter().rposition(|byte| *byte == b':') {
        Some(colon) if bracket.is_none_or(|bracket| bracket < colon) => {
            let digits = authority.get(colon + 1..).unwrap_or_default();
            let port = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            if port { authority.get(..colon).unwrap_or(authority) } else { authority }
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests;
