//! Where a route leads, and what it makes of path and host.

use std::sync::Arc;

use super::{
    Context,
    header_mutations::{format, header_mutations},
    matcher::regex_rewrite,
    metadata,
    per_filter::per_filter,
    route::Around,
};
use crate::{
    model::{
        ClusterSpecifier, ClusterWeight, ClusterWeightTarget, HostRewrite, MetadataCriteria, PathRewrite,
        WeightedClusters,
    },
    proto::envoy::{
        config::route::v3::{
            WeightedCluster,
            route_action::{ClusterSpecifier as Specifier, HostRewriteSpecifier as Host},
            weighted_cluster::{
                ClusterWeight as Weight, RandomValueSpecifier, cluster_weight::HostRewriteSpecifier as WeightHost,
            },
        },
        r#type::matcher::v3::RegexMatchAndSubstitute,
    },
};

/// Converts the choice of a cluster.
pub(super) fn cluster(
    context: &mut Context<'_>,
    specifier: Specifier,
    metadata_match: Option<&Arc<MetadataCriteria>>,
    around: &Around<'_>,
) -> Option<ClusterSpecifier> {
    Some(match specifier {
        Specifier::Cluster(cluster) => {
            around.check_cluster(context, "cluster", "cluster", &cluster);
            ClusterSpecifier::Cluster(cluster)
        }
        Specifier::ClusterHeader(name) => ClusterSpecifier::Header(name.to_ascii_lowercase()),
        Specifier::WeightedClusters(clusters) => {
            let clusters = context
                .field("weighted_clusters", |context| weighted_clusters(context, clusters, metadata_match, around));
            ClusterSpecifier::Weighted(clusters?)
        }
    })
}

fn weighted_clusters(
    context: &mut Context<'_>,
    message: WeightedCluster,
    metadata_match: Option<&Arc<MetadataCriteria>>,
    around: &Around<'_>,
) -> Option<WeightedClusters> {
    let clusters = context
        .list("clusters", message.clusters, |context, weight| cluster_weight(context, weight, metadata_match, around));
    let sum: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
    if sum == 0 {
        context.error("Sum of weights in the weighted_cluster must be greater than 0.");
        return None;
    }
    if sum > u32::MAX.into() {
        context.error("The sum of weights of all weighted clusters of route exceeds 4294967295");
        return None;
    }
    // Kept by Envoy for old configurations: it only has to be the sum.
    if message.total_weight.is_some_and(|total| u64::from(total) != sum) {
        context.warning_at("total_weight", format!("total_weight has no effect: the sum of the weights is {sum}"));
    }
    let header_name = match message.random_value_specifier {
        Some(RandomValueSpecifier::HeaderName(name)) if !name.is_empty() => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    Some(WeightedClusters { clusters, runtime_key_prefix: message.runtime_key_prefix, header_name })
}

fn cluster_weight(
    context: &mut Context<'_>,
    message: Weight,
    of_route: Option<&Arc<MetadataCriteria>>,
    around: &Around<'_>,
) -> Option<ClusterWeight> {
    let cluster = match (message.name.is_empty(), message.cluster_header.is_empty()) {
        (false, true) => {
            around.check_cluster(context, "name", "weighted cluster", &message.name);
            ClusterWeightTarget::Name(message.name)
        }
        (true, false) => ClusterWeightTarget::Header(message.cluster_header.to_ascii_lowercase()),
        (false, false) => {
            context.error("Only one of name or cluster_header can be specified");
            return None;
        }
        (true, true) => {
            context.error("At least one of name or cluster_header need to be specified");
            return None;
        }
    };
    Some(ClusterWeight {
        cluster,
        metadata_match: metadata::criteria_over(of_route, message.metadata_match.as_ref()),
        weight: message.weight.unwrap_or_default(),
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
        host_rewrite: match message.host_rewrite_specifier {
            Some(WeightHost::HostRewriteLiteral(host)) if !host.is_empty() => Some(host),
            _ => None,
        },
    })
}

/// Converts what happens to the path; only one of the three can.
pub(super) fn path(
    context: &mut Context<'_>,
    prefix: String,
    regex: Option<RegexMatchAndSubstitute>,
    text: &str,
) -> PathRewrite {
    let count = [!prefix.is_empty(), regex.is_some(), !text.is_empty()].iter().filter(|set| **set).count();
    if count > 1 {
        context.error("Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy");
    }
    if let Some(rewrite) = regex {
        let rewrite = context.field("regex_rewrite", |context| regex_rewrite(context, rewrite));
        return rewrite.map_or_else(PathRewrite::default, PathRewrite::Regex);
    }
    if !text.is_empty() {
        let format = format(context, "path_rewrite", text);
        return format.map_or_else(PathRewrite::default, |format| PathRewrite::Format(format.omitting_empty_values()));
    }
    if prefix.is_empty() { PathRewrite::Keep } else { PathRewrite::Prefix(prefix) }
}

/// Converts what happens to the host.
pub(super) fn host(context: &mut Context<'_>, specifier: Option<Host>) -> HostRewrite {
    let rewrite = match specifier {
        Some(Host::HostRewriteLiteral(host)) if !host.is_empty() => Some(HostRewrite::Literal(host)),
        Some(Host::AutoHostRewrite(true)) => Some(HostRewrite::Auto),
        Some(Host::HostRewriteHeader(name)) if !name.is_empty() => Some(HostRewrite::Header(name.to_ascii_lowercase())),
        Some(Host::HostRewritePathRegex(rewrite)) => context
            .field("host_rewrite_path_regex", |context| regex_rewrite(context, rewrite))
            .map(HostRewrite::PathRegex),
        Some(Host::HostRewrite(text)) if !text.is_empty() => {
            format(context, "host_rewrite", &text).map(HostRewrite::Format)
        }
        _ => None,
    };
    rewrite.unwrap_or_default()
}
