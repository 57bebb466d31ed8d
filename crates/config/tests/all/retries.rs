//! Retry and hedge policies.

use std::time::Duration;

use sandgate_config::model::{
    BackOff, MirrorCluster, ResetHeaderFormat, RetryHostPredicate, RetryOn, RetryPolicy, RetryPriority, RouteAction,
    RouteKind,
};

use crate::support::{Slot, accepted, changed, config, load, table};

const ROUTE: &str = "route: {cluster: c}";

fn action(text: &str) -> RouteAction {
    let hosts = accepted(text).listeners[0].filter_chains[0]
        .http_connection_manager()
        .unwrap()
        .route_config
        .virtual_hosts
        .clone();
    match &hosts[0].routes[0].kind {
        RouteKind::Route(action) => (**action).clone(),
        other => panic!("{other:?}"),
    }
}

fn policy(text: &str) -> RetryPolicy {
    action(&changed(ROUTE, &format!("route: {{cluster: c, retry_policy: {text}}}"))).retry_policy.unwrap()
}

#[test]
fn defaults_are_envoys() {
    assert_eq!(policy("{retry_on: 5xx}"), RetryPolicy::on(RetryOn::SERVER_ERROR));
    assert!(policy("{}").retry_on.is_empty());
    assert!(action(&changed(ROUTE, ROUTE)).retry_policy.is_none());
}

#[test]
fn all_of_it() {
    let policy = policy(
        "{retry_on: \"5xx,unavailable\", num_retries: 0, per_try_timeout: 1s, per_try_idle_timeout: 0s, \
         host_selection_retry_max_attempts: 4, retriable_status_codes: [418], \
         retry_back_off: {base_interval: 0.0001s, max_interval: 2s}, \
         rate_limited_retry_back_off: {reset_headers: [{name: Retry-After, format: UNIX_TIMESTAMP}]}, \
         retry_priority: {name: p, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig, update_frequency: 2}}, \
         retry_host_predicate: [\
           {name: a, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}, \
           {name: b, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate}}]}",
    );
    assert_eq!(policy.retry_on, RetryOn::SERVER_ERROR | RetryOn::GRPC_UNAVAILABLE);
    assert_eq!((policy.num_retries, policy.host_selection_max_attempts), (0, 4));
    assert_eq!((policy.per_try_timeout, policy.per_try_idle_timeout), (Some(Duration::from_secs(1)), None));
    let back_off =
        BackOff { base_interval: Some(Duration::from_millis(1)), max_interval: Some(Duration::from_secs(2)) };
    assert_eq!((policy.retriable_status_codes, policy.back_off), (vec![418], back_off));
    let limits = policy.rate_limited_back_off.unwrap();
    assert_eq!(limits.max_interval, Duration::from_secs(300));
    assert_eq!(
        (&*limits.reset_headers[0].name, limits.reset_headers[0].format),
        ("retry-after", ResetHeaderFormat::UnixTimestamp)
    );
    assert_eq!(policy.retry_priority, Some(RetryPriority::PreviousPriorities { update_frequency: 2 }));
    assert_eq!(policy.host_predicates, [RetryHostPredicate::PreviousHosts, RetryHostPredicate::OmitCanaryHosts]);
}

#[test]
fn the_virtual_host_stands_in_for_its_routes() {
    let text = config(
        Slot::VirtualHost,
        "include_is_timeout_retry_header: true\nretry_policy: {retry_on: reset}\nhedge_policy: {hedge_on_per_try_timeout: true}",
    );
    let from_host = action(&text);
    assert_eq!(from_host.retry_policy, Some(RetryPolicy::on(RetryOn::RESET)));
    assert!(from_host.hedge_policy.hedge_on_per_try_timeout && from_host.include_is_timeout_retry_header);
    let own = text.replace(ROUTE, "route: {cluster: c, retry_policy: {}, hedge_policy: {}}");
    assert!(action(&own).retry_policy.unwrap().retry_on.is_empty());
    assert!(!action(&own).hedge_policy.hedge_on_per_try_timeout);
}

#[test]
fn mistakes() {
    table(
        Slot::VirtualHost,
        &[
            ("retry_policy: {retry_back_off: {}}", Some("base_interval: value is required")),
            (
                "retry_policy: {retry_back_off: {base_interval: 2s, max_interval: 1s}}",
                Some("retry_policy.max_interval must"),
            ),
            ("retry_policy: {retry_back_off: {base_interval: 0s}}", Some("must be greater than")),
            ("retry_policy: {rate_limited_retry_back_off: {}}", Some("reset_headers")),
            (
                "retry_policy: {retry_host_predicate: [{name: x}]}",
                Some("retry host predicate \"x\" has no typed_config"),
            ),
            ("hedge_policy: {initial_requests: 0}", Some("must be greater than or equal to 1")),
            ("hedge_policy: {initial_requests: 2}", None),
        ],
    );
    let loaded = load(&config(Slot::VirtualHost, "retry_policy: {retry_on: \"5xx,gateway-eror\"}")).unwrap();
    assert!(loaded.warnings.to_string().contains("there is no condition \"gateway-eror\""));
}

#[test]
fn mirrors_and_times_of_streams() {
    let mirror = |text: &str| action(&changed(ROUTE, &format!("route: {{cluster: c, {text}}}")));
    let policies = mirror("request_mirror_policies: [{cluster: c}, {cluster_header: X-C}]").request_mirror_policies;
    let clusters: Vec<_> = policies.into_iter().map(|policy| policy.cluster).collect();
    assert_eq!(clusters, [MirrorCluster::Name("c".into()), MirrorCluster::Header("x-c".into())]);
    let host =
        config(Slot::VirtualHost, "request_mirror_policies: [{cluster: c}]\ninclude_request_attempt_count: true");
    assert_eq!(action(&host).request_mirror_policies.len(), 1);
    assert!(action(&host).include_request_attempt_count);
    let times = mirror("max_stream_duration: {max_stream_duration: 0s}, max_grpc_timeout: 1s");
    assert_eq!(times.max_stream_duration.unwrap().max, Some(Duration::ZERO));
    assert_eq!(times.max_grpc_timeout, Some(Duration::from_secs(1)));
    table(
        Slot::VirtualHost,
        &[
            ("request_mirror_policies: [{cluster: x}]", Some("unknown shadow cluster 'x'")),
            ("request_mirror_policies: [{}]", Some("exactly one of cluster or cluster_header")),
            (
                "request_mirror_policies: [{cluster: c, cluster_header: h}]",
                Some("only one of cluster or cluster_header"),
            ),
        ],
    );
}
