//! Envoy's own rules for tags, as far as there are stats that they are about; the order is that of the tags in its
//! Prometheus text (observed in Envoy 1.40).

use regex::Regex;

use super::extractor::Extractor;

enum Pattern {
    /// A regular expression, a text that names must have, and a value that is none.
    Regex(&'static str, &'static str, &'static str),
    Parts(&'static str),
}
use Pattern::{Parts, Regex as Re};

const RULES: &[(&str, Pattern)] = &[
    ("envoy.response_code", Re(r"_rq(_(\d{3}))$", "_rq_", "")),
    ("envoy.response_code_class", Re(r"_rq_((\d))xx$", "_rq_", "")),
    (
        "envoy.worker_id",
        Re(
            r"^(?:listener\.(?:[_.\d]*|[_\[\]a-fA-F\d]*|[^.]+)|server|listener_manager|thread_local_cluster_manager)\.worker_((\d+)\.)",
            ".worker_",
            "",
        ),
    ),
    ("envoy.health_check_name", Re(r"^cluster\.[^.]+\.health_check(\.name\.([^.]+))\..+", ".health_check.name.", "")),
    ("envoy.rds_route_config", Re(r"^http\.[^.]+\.rds\.(([\w\-.]+)\.)\w+?$", ".rds.", "")),
    ("envoy.http_conn_manager_prefix", Re(r"^listener\..*?\.http\.(([^.]+)\.)", ".http.", "")),
    ("envoy.listener_address", Re(r"^listener\.(([_.\d]*|[_\[\]a-fA-F\d]*|[^.]+)\.)", "", "admin")),
    ("envoy.grpc_bridge_method", Parts("cluster.*.grpc.*.$.**")),
    ("envoy.http_user_agent", Parts("http.*.user_agent.$.**")),
    ("envoy.virtual_cluster", Parts("vhost.*.vcluster.$.**")),
    ("envoy.fault_downstream_cluster", Parts("http.*.fault.$.**")),
    ("envoy.grpc_bridge_service", Parts("cluster.*.grpc.$.**")),
    ("envoy.tcp_prefix", Parts("tcp.$.**")),
    ("envoy.udp_prefix", Parts("udp.$.**")),
    ("envoy.clientssl_prefix", Parts("auth.clientssl.$.**")),
    ("envoy.ratelimit_prefix", Parts("ratelimit.$.**")),
    ("envoy.cluster_name", Parts("cluster.$.**")),
    ("envoy.http_conn_manager_prefix", Parts("http.$.**")),
    ("envoy.virtual_host", Parts("vhost.$.**")),
    ("envoy.route", Parts("vhost.*.route.$.**")),
    ("envoy.mongo_prefix", Parts("mongo.$.**")),
    ("envoy.ext_authz_prefix", Parts("cluster.*.ext_authz.$.**")),
    ("envoy.ext_authz_prefix", Parts("http.*.ext_authz.$.**")),
    ("envoy.connection_limit_prefix", Parts("connection_limit.$.**")),
    ("envoy.local_network_ratelimit_prefix", Parts("local_rate_limit.$.**")),
    ("envoy.local_listener_ratelimit_prefix", Parts("listener_local_ratelimit.$.**")),
];

/// Every rule.
pub(super) fn all() -> impl Iterator<Item = Extractor> {
    RULES.iter().filter_map(|(name, pattern)| match pattern {
        Parts(pattern) => Some(Extractor::parts(name, pattern)),
        Re(pattern, needs, except) => {
            let regex = Regex::new(pattern).ok()?;
            Some(Extractor::with_regex(name, regex, pattern, needs, except))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_read() {
        assert_eq!(all().count(), RULES.len());
    }
}
