//! The TCP proxy.

use std::sync::Arc;
use std::time::Duration;

use super::{Context, access_log, metadata};
use crate::{
    model::{AccessLogOptions, BackOff, MetadataCriteria, TcpClusterWeight, TcpClusters, TcpHashPolicy, TcpProxy},
    proto::envoy::{
        extensions::filters::network::tcp_proxy::v3::{
            self as proto,
            tcp_proxy::{ClusterSpecifier, TcpAccessLogOptions, WeightedCluster},
        },
        r#type::v3::{HashPolicy, hash_policy::PolicySpecifier},
    },
};

/// Envoy's default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// Converts a TCP proxy. Whether its clusters are there shows when a connection comes, as in Envoy.
pub(super) fn tcp_proxy(context: &mut Context<'_>, message: proto::TcpProxy) -> Option<TcpProxy> {
    let access_log_options = access_log_options(context, &message);
    let access_logs = access_log::access_logs(context, "access_log", message.access_log);
    let back_off = message.backoff_options.map(|options| {
        context.field("backoff_options", |context| {
            let base_interval = context.duration("base_interval", options.base_interval);
            let max_interval = context.duration("max_interval", options.max_interval);
            if let (Some(base), Some(max)) = (base_interval, max_interval)
                && max < base
            {
                context.error("max_backoff must be greater or equal to base_backoff");
            }
            BackOff { base_interval, max_interval }
        })
    });
    let metadata_match = metadata::criteria(message.metadata_match.as_ref());
    let clusters = match context.required("cluster", message.cluster_specifier)? {
        ClusterSpecifier::Cluster(name) => TcpClusters::One(name.into()),
        ClusterSpecifier::WeightedClusters(clusters) => weighted_clusters(clusters, metadata_match.as_ref()),
    };
    Some(TcpProxy {
        clusters,
        metadata_match,
        idle_timeout: context.limit("idle_timeout", message.idle_timeout, Some(IDLE_TIMEOUT)),
        max_connection_duration: context
            .duration("max_downstream_connection_duration", message.max_downstream_connection_duration),
        stat_prefix: message.stat_prefix,
        max_connect_attempts: message.max_connect_attempts.unwrap_or(1),
        back_off,
        access_logs,
        access_log_options,
        hash_policies: context.list("hash_policy", message.hash_policy, hash_policy),
    })
}

fn weighted_clusters(message: WeightedCluster, of_all: Option<&Arc<MetadataCriteria>>) -> TcpClusters {
    let clusters = message.clusters.into_iter();
    TcpClusters::Weighted(
        clusters
            .map(|cluster| TcpClusterWeight {
                metadata_match: metadata::criteria_over(of_all, cluster.metadata_match.as_ref()),
                name: cluster.name.into(),
                weight: cluster.weight,
            })
            .collect(),
    )
}

fn hash_policy(context: &mut Context<'_>, message: HashPolicy) -> Option<TcpHashPolicy> {
    match context.required("policy_specifier", message.policy_specifier)? {
        PolicySpecifier::SourceIp(_) => Some(TcpHashPolicy::SourceIp),
        PolicySpecifier::FilterState(state) => Some(TcpHashPolicy::FilterState(state.key.into())),
    }
}

fn access_log_options(context: &mut Context<'_>, message: &proto::TcpProxy) -> AccessLogOptions {
    let (old_interval, old_connected) = (message.access_log_flush_interval, message.flush_access_log_on_connected);
    let Some(TcpAccessLogOptions {
        access_log_flush_interval,
        flush_access_log_on_connected,
        flush_access_log_on_start,
    }) = message.access_log_options
    else {
        return AccessLogOptions {
            on_new_request: false,
            on_tunnel: old_connected,
            interval: context.duration("access_log_flush_interval", old_interval),
        };
    };
    if old_connected {
        context.error("Only one of flush_access_log_on_connected or access_log_options can be specified.");
    }
    if old_interval.is_some() {
        context.error("Only one of access_log_flush_interval or access_log_options can be specified.");
    }
    AccessLogOptions {
        on_new_request: flush_access_log_on_start,
        on_tunnel: flush_access_log_on_connected,
        interval: context.field("access_log_options", |context| {
            context.duration("access_log_flush_interval", access_log_flush_interval)
        }),
    }
}
