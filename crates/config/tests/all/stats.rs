//! `stats_config` and `stats_sinks`.

use sandgate_config::model::{StatsMatcher, StatsSinkKind};

use crate::support::{Slot, accepted, config, table};

const STATSD: &str = "\"@type\": type.googleapis.com/envoy.config.metrics.v3.StatsdSink";
const DOG: &str = "\"@type\": type.googleapis.com/envoy.config.metrics.v3.DogStatsdSink";

fn sink(config: &str) -> String {
    format!("stats_sinks: [{{name: x, typed_config: {{{config}}}}}]")
}

#[test]
fn stats_are_checked_as_envoy_does() {
    let tag = |tag: &str| format!("stats_config: {{stats_tags: [{tag}]}}");
    let buckets = |settings: &str| format!("stats_config: {{histogram_bucket_settings: [{settings}]}}");
    let no_default = "No regex specified for tag specifier and no default regex for name: 'a'";
    for (text, wanted) in [
        ("stats_config: {}".to_owned(), None),
        (tag("{tag_name: envoy.cluster_name}"), None),
        (tag("{tag_name: a}"), Some(no_default)),
        (tag("{tag_name: a, regex: ''}"), Some(no_default)),
        (tag("{tag_name: a, regex: '('}"), Some("Invalid regex '('")),
        (tag("{regex: a}"), Some("tag_name")),
        (buckets("{match: {prefix: a}, buckets: [1]}"), None),
        (buckets("{match: {prefix: a}, buckets: [0]}"), Some("buckets")),
        (buckets("{match: {prefix: a}, buckets: [1, 1]}"), Some("buckets")),
        (buckets("{buckets: [1]}"), Some("match")),
        ("stats_config: {stats_matcher: {}}".to_owned(), Some("stats_matcher")),
        ("stats_config: {stats_matcher: {exclusion_list: {}}}".to_owned(), Some("patterns")),
        (
            "stats_flush_interval: 1s\nstats_flush_on_admin: true".to_owned(),
            Some("Only one of stats_flush_interval or stats_flush_on_admin should be set!"),
        ),
        ("stats_flush_interval: 0.0001s".to_owned(), Some("stats_flush_interval")),
        (sink(&format!("{STATSD}, address: {{socket_address: {{address: 127.0.0.1, port_value: 1}}}}")), None),
        (sink(&format!("{DOG}, address: {{socket_address: {{address: ::1, port_value: 1, protocol: UDP}}}}")), None),
        (
            sink(&format!("{DOG}, address: {{socket_address: {{address: a, port_value: 1}}}}")),
            Some("malformed IP address: a"),
        ),
        (
            sink(&format!(
                "{DOG}, address: {{socket_address: {{address: ::1, port_value: 1}}}}, max_bytes_per_datagram: 0"
            )),
            Some("max_bytes_per_datagram"),
        ),
        (sink(STATSD), Some("required")),
        (sink(&format!("{STATSD}, tcp_cluster_name: nowhere")), Some("tcp statsd: unknown cluster 'nowhere'")),
        (sink("\"@type\": type.googleapis.com/envoy.config.metrics.v3.HystrixSink"), Some("HystrixSink")),
    ] {
        table(Slot::Top, &[(text.as_str(), wanted)]);
    }
}

#[test]
fn values_reach_the_model() {
    let text = "stats_config: {use_all_default_tags: false, stats_matcher: {inclusion_list: {patterns: [{prefix: a}]}}, histogram_bucket_settings: [{match: {suffix: b}, buckets: [5, 1]}]}";
    let stats = accepted(&config(Slot::Top, text)).stats_config;
    assert!(!stats.use_all_default_tags);
    assert!(matches!(stats.matcher, StatsMatcher::Inclusion(patterns) if patterns.len() == 1));
    assert_eq!(stats.histogram_buckets[0].buckets, [1.0, 5.0]);

    let text = sink(&format!("{STATSD}, address: {{socket_address: {{address: 127.0.0.1, port_value: 8125}}}}"));
    let sinks = accepted(&config(Slot::Top, &text)).stats_sinks;
    assert_eq!(sinks[0].prefix, "envoy");
    assert_eq!(sinks[0].kind, StatsSinkKind::StatsdUdp(([127, 0, 0, 1], 8125).into()));
}
