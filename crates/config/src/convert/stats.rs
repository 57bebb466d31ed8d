//! Stats: tags, which there are, and sinks.

use std::{collections::HashSet, net::SocketAddr};

use sandgate_stats::{TagProducer, TagSpecifier};

use super::{
    Context, address, matcher, type_name,
    wasm::{WASM_STATS_SINK, wasm_stats_sink},
};
use crate::{
    model::{HistogramBucketSettings, Node, StatsConfig, StatsMatcher, StatsSink, StatsSinkKind, StringMatcher},
    proto::envoy::{
        config::{core::v3::Address, metrics::v3 as proto},
        r#type::matcher::v3::ListStringMatcher,
    },
};

const STATSD: &str = "envoy.config.metrics.v3.StatsdSink";
const DOG_STATSD: &str = "envoy.config.metrics.v3.DogStatsdSink";
/// What names begin with unless a sink says otherwise.
const PREFIX: &str = "envoy";

/// Converts `stats_config`.
pub(super) fn stats_config(context: &mut Context<'_>, message: proto::StatsConfig) -> StatsConfig {
    let config = StatsConfig {
        tags: context.list("stats_tags", message.stats_tags, |_, tag| Some(specifier(tag))),
        use_all_default_tags: message.use_all_default_tags.unwrap_or(true),
        allow_default_tag_overrides: message.allow_default_tag_overrides.unwrap_or(false),
        matcher: message.stats_matcher.map_or_else(StatsMatcher::default, |message| {
            context.field("stats_matcher", |context| stats_matcher(context, message))
        }),
        histogram_buckets: context.list("histogram_bucket_settings", message.histogram_bucket_settings, buckets),
    };
    let StatsConfig { tags, use_all_default_tags, allow_default_tag_overrides, .. } = &config;
    if let Err(error) = TagProducer::new(*use_all_default_tags, *allow_default_tag_overrides, tags) {
        context.error_at("stats_tags", error.to_string());
    }
    config
}

fn specifier(message: proto::TagSpecifier) -> TagSpecifier {
    use proto::tag_specifier::TagValue;
    match message.tag_value {
        Some(TagValue::FixedValue(value)) => TagSpecifier::Fixed(message.tag_name, value),
        Some(TagValue::Regex(regex)) if !regex.is_empty() => TagSpecifier::Regex(message.tag_name, regex),
        Some(TagValue::Regex(_)) | None => TagSpecifier::Default(message.tag_name),
    }
}

fn stats_matcher(context: &mut Context<'_>, message: proto::StatsMatcher) -> StatsMatcher {
    use proto::stats_matcher::StatsMatcher as Matcher;
    let mut patterns = |name: &str, list: ListStringMatcher| -> Vec<StringMatcher> {
        context.field(name, |context| context.list("patterns", list.patterns, matcher::string))
    };
    match message.stats_matcher {
        Some(Matcher::RejectAll(true)) => StatsMatcher::RejectAll,
        Some(Matcher::ExclusionList(list)) => StatsMatcher::Exclusion(patterns("exclusion_list", list)),
        Some(Matcher::InclusionList(list)) => StatsMatcher::Inclusion(patterns("inclusion_list", list)),
        Some(Matcher::RejectAll(false)) | None => StatsMatcher::All,
    }
}

fn buckets(context: &mut Context<'_>, message: proto::HistogramBucketSettings) -> Option<HistogramBucketSettings> {
    let matcher = context.required("match", message.r#match)?;
    let matcher = context.field("match", |context| matcher::string(context, matcher))?;
    let mut buckets = message.buckets;
    buckets.sort_by(f64::total_cmp);
    Some(HistogramBucketSettings { matcher, buckets })
}

/// Converts one of `stats_sinks`. `clusters` are the names of all clusters.
pub(super) fn stats_sink(
    context: &mut Context<'_>,
    message: proto::StatsSink,
    clusters: &HashSet<String>,
    node: &Node,
) -> Option<StatsSink> {
    use proto::stats_sink::ConfigType;
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    let (kind, prefix) = match config.map(|config| (type_name(config), config)) {
        Some((STATSD, config)) => context.field("typed_config", |context| {
            let sink = context.unpack(config)?;
            statsd(context, sink, clusters, node)
        })?,
        Some((DOG_STATSD, config)) => context.field("typed_config", |context| {
            let sink = context.unpack(config)?;
            dog_statsd(context, sink)
        })?,
        Some((WASM_STATS_SINK, config)) => {
            (StatsSinkKind::Wasm(Box::new(wasm_stats_sink(context, config)?)), String::new())
        }
        _ => {
            context.unknown_extension("stats sink", &message.name, config);
            return None;
        }
    };
    let prefix = if prefix.is_empty() { PREFIX.to_owned() } else { prefix };
    Some(StatsSink { kind, prefix, origin: context.origin() })
}

fn statsd(
    context: &mut Context<'_>,
    message: proto::StatsdSink,
    clusters: &HashSet<String>,
    node: &Node,
) -> Option<(StatsSinkKind, String)> {
    use proto::statsd_sink::StatsdSpecifier;
    let kind = match context.required("an address or a cluster", message.statsd_specifier)? {
        StatsdSpecifier::Address(address) => StatsSinkKind::StatsdUdp(datagrams_to(context, address)?),
        StatsdSpecifier::TcpClusterName(cluster) => {
            if !clusters.contains(&cluster) {
                context.error_at("tcp_cluster_name", format!("tcp statsd: unknown cluster '{cluster}'"));
            }
            if node.id.is_empty() || node.cluster.is_empty() {
                context.error(
                    "tcp statsd: node 'id' and 'cluster' are required. Set it either in 'node' config or via \
                     --service-node and --service-cluster options.",
                );
            }
            StatsSinkKind::StatsdTcp(cluster)
        }
    };
    Some((kind, message.prefix))
}

fn dog_statsd(context: &mut Context<'_>, message: proto::DogStatsdSink) -> Option<(StatsSinkKind, String)> {
    use proto::dog_statsd_sink::DogStatsdSpecifier;
    let DogStatsdSpecifier::Address(address) = context.required("an address", message.dog_statsd_specifier)?;
    let address = datagrams_to(context, address)?;
    let max_bytes_per_datagram = message.max_bytes_per_datagram;
    Some((StatsSinkKind::DogStatsd { address, max_bytes_per_datagram }, message.prefix))
}

fn datagrams_to(context: &mut Context<'_>, message: Address) -> Option<SocketAddr> {
    context.field("address", |context| address::datagram_address(context, message))
}
