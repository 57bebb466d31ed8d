//! Routes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{
    Context, circuit_breakers::routing_priority, hash_policy, header_mutations::header_mutations, matcher, metadata,
    mirror, per_filter::per_filter, redirect::redirect, retry, rewrite, source, upgrade,
};
use crate::{
    model::{
        ClusterNotFoundResponseCode, DirectResponse, Domain, HedgePolicy, PathMatcher, RequestMirrorPolicy,
        RetryPolicy, Route, RouteAction, RouteConfiguration, RouteKind, RouteMatch, TlsContextMatch, TlsRequirement,
        VirtualCluster, VirtualHost,
    },
    proto::envoy::config::route::v3::{
        self as proto, route::Action, route_action::ClusterNotFoundResponseCode as Code, route_match::PathSpecifier,
        virtual_host::TlsRequirementType,
    },
};

/// Among more clusters no wrong name is looked for.
const MOST_SUGGESTED: usize = 1000;

/// What routes need to know of what is around them.
pub(super) struct Around<'a> {
    /// The clusters that exist, if routes must lead to one of them.
    clusters: Option<&'a HashSet<String>>,
    max_direct_response_body_size: usize,
    /// What the route configuration says for all that say nothing.
    mirrors: Vec<RequestMirrorPolicy>,
}

/// What a virtual host says for those of its routes that say nothing.
struct HostPolicies {
    retry: Option<RetryPolicy>,
    hedge: Option<HedgePolicy>,
    include_is_timeout_retry_header: bool,
    include_request_attempt_count: bool,
    include_attempt_count_in_response: bool,
    mirrors: Vec<RequestMirrorPolicy>,
}

/// Converts a route configuration. `validate_clusters` is what holds where it does not say whether its clusters must exist.
pub(super) fn route_configuration(
    context: &mut Context<'_>,
    message: proto::RouteConfiguration,
    clusters: &HashSet<String>,
    validate_clusters: bool,
) -> RouteConfiguration {
    let mut around = Around {
        // With something missing, what is missing may be the cluster.
        clusters: (message.validate_clusters.unwrap_or(validate_clusters) && !context.report.has_errors())
            .then_some(clusters),
        max_direct_response_body_size: message
            .max_direct_response_body_size_bytes
            .map_or(4096, |max| usize::try_from(max).unwrap_or(usize::MAX)),
        mirrors: Vec::new(),
    };
    around.mirrors = mirror::mirror_policies(context, message.request_mirror_policies, &around);
    let mut domains = HashMap::new();
    let virtual_hosts = context.list("virtual_hosts", message.virtual_hosts, |context, host| {
        virtual_host(context, host, &around, &mut domains, &message.name)
    });
    RouteConfiguration {
        name: message.name,
        virtual_hosts,
        ignore_port_in_host_matching: message.ignore_port_in_host_matching,
        vhost_header: (!message.vhost_header.is_empty()).then(|| message.vhost_header.to_ascii_lowercase()),
        ignore_path_parameters_in_path_matching: message.ignore_path_parameters_in_path_matching,
        internal_only_headers: message.internal_only_headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
        request_headers: header_mutations(
            context,
            "request",
            message.request_headers_to_add,
            message.request_headers_to_remove,
        ),
        response_headers: header_mutations(
            context,
            "response",
            message.response_headers_to_add,
            message.response_headers_to_remove,
        ),
        most_specific_header_mutations_wins: message.most_specific_header_mutations_wins,
        per_filter: per_filter(context, message.typed_per_filter_config),
    }
}

fn virtual_host(
    context: &mut Context<'_>,
    message: proto::VirtualHost,
    around: &Around<'_>,
    seen: &mut HashMap<Domain, String>,
    table: &str,
) -> Option<VirtualHost> {
    let domains = context.list("domains", message.domains, |context, text| {
        let domain = Domain::parse(&text);
        if seen.insert(domain.clone(), context.path.clone()).is_some() {
            context.error(match domain {
                Domain::Any => format!("only a single wildcard domain is permitted in route {table}"),
                _ => format!(
                    "only unique values for domains are permitted. Duplicate entry of domain {text} in route {table}"
                ),
            });
        }
        Some(domain)
    });
    let policies = HostPolicies {
        retry: retry::retry_policy(context, message.retry_policy),
        hedge: retry::hedge_policy(message.hedge_policy.as_ref()),
        include_is_timeout_retry_header: message.include_is_timeout_retry_header,
        include_request_attempt_count: message.include_request_attempt_count,
        include_attempt_count_in_response: message.include_attempt_count_in_response,
        mirrors: mirror::mirror_policies(context, message.request_mirror_policies, around),
    };
    let routes = context.list("routes", message.routes, |context, message| route(context, message, around, &policies));
    let virtual_clusters = context.list("virtual_clusters", message.virtual_clusters, virtual_cluster);
    Some(VirtualHost {
        name: message.name,
        domains,
        routes,
        virtual_clusters,
        require_tls: match TlsRequirementType::try_from(message.require_tls) {
            Ok(TlsRequirementType::ExternalOnly) => TlsRequirement::ExternalOnly,
            Ok(TlsRequirementType::All) => TlsRequirement::All,
            Ok(TlsRequirementType::None) | Err(_) => TlsRequirement::None,
        },
        request_headers: header_mutations(
            context,
            "request",
            message.request_headers_to_add,
            message.request_headers_to_remove,
        ),
        response_headers: header_mutations(
            context,
            "response",
            message.response_headers_to_add,
            message.response_headers_to_remove,
        ),
        per_filter: per_filter(context, message.typed_per_filter_config),
        metadata: message.metadata.map(Into::into),
    })
}

fn virtual_cluster(context: &mut Context<'_>, message: proto::VirtualCluster) -> Option<VirtualCluster> {
    if message.headers.is_empty() {
        context.error("virtual clusters must define 'headers'");
    }
    let headers = matcher::headers(context, "headers", message.headers);
    Some(VirtualCluster { name: message.name, headers })
}

fn route(
    context: &mut Context<'_>,
    message: proto::Route,
    around: &Around<'_>,
    policies: &HostPolicies,
) -> Option<Route> {
    let matcher = context.required("match", message.r#match);
    let matcher = matcher.and_then(|matcher| context.field("match", |context| route_match(context, matcher)));
    let kind = match context.required("an action", message.action)? {
        Action::Route(action) => context
            .field("route", |context| route_action(context, action, around, policies))
            .map(|action| RouteKind::Route(Box::new(action))),
        Action::DirectResponse(response) => context
            .field("direct_response", |context| direct_response(context, response, around))
            .map(RouteKind::DirectResponse),
        Action::Redirect(action) => {
            context.field("redirect", |context| redirect(context, action)).map(RouteKind::Redirect)
        }
        Action::NonForwardingAction(_) => Some(RouteKind::NonForwarding),
    };
    Some(Route {
        name: message.name,
        stat_prefix: message.stat_prefix,
        matcher: matcher?,
        kind: kind?,
        request_headers: header_mutations(
            context,
            "request",
            message.request_headers_to_add,
            message.request_headers_to_remove,
        ),
        response_headers: header_mutations(
            context,
            "response",
            message.response_headers_to_add,
            message.response_headers_to_remove,
        ),
        per_filter: per_filter(context, message.typed_per_filter_config),
        metadata: message.metadata.map(Into::into),
        origin: context.origin(),
    })
}

fn route_match(context: &mut Context<'_>, message: proto::RouteMatch) -> Option<RouteMatch> {
    let path = match context.required("a path", message.path_specifier)? {
        PathSpecifier::Prefix(prefix) => Some(PathMatcher::Prefix(prefix)),
        PathSpecifier::Path(path) => Some(PathMatcher::Path(path)),
        PathSpecifier::PathSeparatedPrefix(prefix) => Some(PathMatcher::PathSeparatedPrefix(prefix)),
        PathSpecifier::SafeRegex(pattern) => {
            context.field("safe_regex", |context| matcher::regex(context, &pattern)).map(PathMatcher::Regex)
        }
        PathSpecifier::ConnectMatcher(_) => Some(PathMatcher::Connect),
    };
    Some(RouteMatch {
        case_sensitive: message.case_sensitive.unwrap_or(true),
        headers: matcher::headers(context, "headers", message.headers),
        query_parameters: context.list("query_parameters", message.query_parameters, matcher::query_parameter),
        cookies: context.list("cookies", message.cookies, matcher::cookie),
        grpc: message.grpc.is_some(),
        dynamic_metadata: context.list("dynamic_metadata", message.dynamic_metadata, matcher::metadata),
        tls_context: message
            .tls_context
            .map(|tls| TlsContextMatch { presented: tls.presented, validated: tls.validated }),
        runtime_fraction: message.runtime_fraction.map(Into::into),
        path: path?,
    })
}

impl Around<'_> {
    /// Reports a cluster that routes lead to and that does not exist; `what` is `cluster` or `weighted cluster`.
    pub(super) fn check_cluster(&self, context: &mut Context<'_>, field: &str, what: &str, cluster: &str) {
        if self.clusters.is_none_or(|clusters| clusters.contains(cluster)) {
            return;
        }
        let known = self.clusters.into_iter().flatten().cloned();
        // Who has a thousand clusters has a program that writes their names.
        let few = self.clusters.is_some_and(|clusters| clusters.len() < MOST_SUGGESTED);
        let hint = few.then(|| crate::suggest::suggest(cluster, known)).flatten();
        let hint = hint.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default();
        context.error_at(field, format!("route: unknown {what} '{cluster}'{hint}"));
    }
}

fn route_action(
    context: &mut Context<'_>,
    message: proto::RouteAction,
    around: &Around<'_>,
    policies: &HostPolicies,
) -> Option<RouteAction> {
    let cluster = context.required("a cluster", message.cluster_specifier)?;
    let metadata_match = metadata::criteria(message.metadata_match.as_ref());
    let cluster = rewrite::cluster(context, cluster, metadata_match.as_ref(), around)?;
    let path_rewrite = rewrite::path(context, message.prefix_rewrite, message.regex_rewrite, &message.path_rewrite);
    let host_rewrite = rewrite::host(context, message.host_rewrite_specifier);
    let mirrors = mirror::mirror_policies(context, message.request_mirror_policies, around);
    let (upgrades, connect) = upgrade::of_route(context, message.upgrade_configs);
    Some(RouteAction {
        cluster,
        metadata_match,
        upgrades,
        connect,
        cluster_not_found_response_code: match Code::try_from(message.cluster_not_found_response_code) {
            Ok(Code::NotFound) => ClusterNotFoundResponseCode::NotFound,
            Ok(Code::InternalServerError) => ClusterNotFoundResponseCode::InternalServerError,
            Ok(Code::ServiceUnavailable) | Err(_) => ClusterNotFoundResponseCode::ServiceUnavailable,
        },
        timeout: context.limit("timeout", message.timeout, Some(Duration::from_secs(15))),
        idle_timeout: context.duration("idle_timeout", message.idle_timeout),
        retry_policy: retry::retry_policy(context, message.retry_policy).or_else(|| policies.retry.clone()),
        hedge_policy: retry::hedge_policy(message.hedge_policy.as_ref()).or(policies.hedge).unwrap_or_default(),
        include_is_timeout_retry_header: policies.include_is_timeout_retry_header,
        include_request_attempt_count: policies.include_request_attempt_count,
        include_attempt_count_in_response: policies.include_attempt_count_in_response,
        request_mirror_policies: [mirrors, policies.mirrors.clone(), around.mirrors.clone()]
            .into_iter()
            .find(|policies| !policies.is_empty())
            .unwrap_or_default(),
        max_stream_duration: mirror::max_stream_duration(context, message.max_stream_duration),
        max_grpc_timeout: context.duration("max_grpc_timeout", message.max_grpc_timeout),
        grpc_timeout_offset: context.duration("grpc_timeout_offset", message.grpc_timeout_offset),
        path_rewrite,
        host_rewrite,
        append_x_forwarded_host: message.append_x_forwarded_host,
        hash_policies: context.list("hash_policy", message.hash_policy, hash_policy::hash_policy),
        priority: routing_priority(message.priority),
    })
}

fn direct_response(
    context: &mut Context<'_>,
    message: proto::DirectResponseAction,
    around: &Around<'_>,
) -> Option<DirectResponse> {
    let body = match message.body {
        Some(body) => {
            context.field("body", |context| source::read(context, body, around.max_direct_response_body_size))?
        }
        None => Vec::new().into(),
    };
    // A rule has seen to the range.
    Some(DirectResponse { status: u16::try_from(message.status).ok()?, body })
}
