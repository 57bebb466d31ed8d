//! Routes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{Context, matcher, retry, source};
use crate::{
    model::{
        ClusterNotFoundResponseCode, DirectResponse, Domain, HedgePolicy, PathMatcher, RetryPolicy, Route, RouteAction,
        RouteConfiguration, RouteKind, RouteMatch, VirtualHost,
    },
    proto::envoy::config::route::v3::{
        self as proto,
        route::Action,
        route_action::{ClusterNotFoundResponseCode as Code, ClusterSpecifier},
        route_match::PathSpecifier,
    },
};

/// What routes need to know of what is around them.
struct Around<'a> {
    /// The clusters that exist, if routes must lead to one of them.
    clusters: Option<&'a HashSet<String>>,
    max_direct_response_body_size: usize,
}

/// What a virtual host says for those of its routes that say nothing.
struct HostPolicies {
    retry: Option<RetryPolicy>,
    hedge: Option<HedgePolicy>,
    include_is_timeout_retry_header: bool,
}

/// Converts a route configuration.
pub(super) fn route_configuration(
    context: &mut Context<'_>,
    message: proto::RouteConfiguration,
    clusters: &HashSet<String>,
) -> RouteConfiguration {
    let around = Around {
        // With something missing, what is missing may be the cluster.
        clusters: (message.validate_clusters.unwrap_or(true) && !context.report.has_errors()).then_some(clusters),
        max_direct_response_body_size: message
            .max_direct_response_body_size_bytes
            .map_or(4096, |max| usize::try_from(max).unwrap_or(usize::MAX)),
    };
    let mut domains = HashMap::new();
    let virtual_hosts = context.list("virtual_hosts", message.virtual_hosts, |context, host| {
        virtual_host(context, host, &around, &mut domains, &message.name)
    });
    RouteConfiguration {
        name: message.name,
        virtual_hosts,
        ignore_port_in_host_matching: message.ignore_port_in_host_matching,
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
    };
    let routes = context.list("routes", message.routes, |context, message| route(context, message, around, &policies));
    Some(VirtualHost { name: message.name, domains, routes })
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
        Action::Route(action) => {
            context.field("route", |context| route_action(context, action, around, policies)).map(RouteKind::Route)
        }
        Action::DirectResponse(response) => context
            .field("direct_response", |context| direct_response(context, response, around))
            .map(RouteKind::DirectResponse),
    };
    Some(Route {
        name: message.name,
        matcher: matcher?,
        kind: kind?,
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
    };
    Some(RouteMatch {
        case_sensitive: message.case_sensitive.unwrap_or(true),
        headers: matcher::headers(context, "headers", message.headers),
        query_parameters: context.list("query_parameters", message.query_parameters, matcher::query_parameter),
        cookies: context.list("cookies", message.cookies, matcher::cookie),
        grpc: message.grpc.is_some(),
        dynamic_metadata: context.list("dynamic_metadata", message.dynamic_metadata, matcher::metadata),
        path: path?,
    })
}

fn route_action(
    context: &mut Context<'_>,
    message: proto::RouteAction,
    around: &Around<'_>,
    policies: &HostPolicies,
) -> Option<RouteAction> {
    let ClusterSpecifier::Cluster(cluster) = context.required("a cluster", message.cluster_specifier)?;
    if around.clusters.is_some_and(|clusters| !clusters.contains(&cluster)) {
        let known = around.clusters.into_iter().flatten().cloned();
        let hint = crate::suggest::suggest(&cluster, known)
            .map(|name| format!("; did you mean '{name}'?"))
            .unwrap_or_default();
        context.error_at("cluster", format!("route: unknown cluster '{cluster}'{hint}"));
    }
    Some(RouteAction {
        cluster,
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
