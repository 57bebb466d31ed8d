//! Mirrored requests, and the times of streams.

use super::{Context, route::Around};
use crate::{
    model::{MaxStreamDuration, MirrorCluster, RequestMirrorPolicy},
    proto::envoy::config::route::v3::route_action as proto,
};

/// Converts `request_mirror_policies`.
pub(super) fn mirror_policies(
    context: &mut Context<'_>,
    messages: Vec<proto::RequestMirrorPolicy>,
    around: &Around<'_>,
) -> Vec<RequestMirrorPolicy> {
    context.list("request_mirror_policies", messages, |context, message| mirror_policy(context, message, around))
}

fn mirror_policy(
    context: &mut Context<'_>,
    message: proto::RequestMirrorPolicy,
    around: &Around<'_>,
) -> Option<RequestMirrorPolicy> {
    let cluster = match (message.cluster.is_empty(), message.cluster_header.is_empty()) {
        (false, true) => {
            around.check_cluster(context, "cluster", "shadow cluster", &message.cluster);
            MirrorCluster::Name(message.cluster)
        }
        (true, false) => MirrorCluster::Header(message.cluster_header.to_ascii_lowercase()),
        (true, true) => {
            context.error("exactly one of cluster or cluster_header must be specified in a request mirror policy");
            return None;
        }
        (false, false) => {
            context.error("only one of cluster or cluster_header in request mirror policy can be specified");
            return None;
        }
    };
    Some(RequestMirrorPolicy {
        cluster,
        runtime_fraction: message.runtime_fraction.map(Into::into),
        disable_shadow_host_suffix_append: message.disable_shadow_host_suffix_append,
        host_rewrite_literal: message.host_rewrite_literal,
    })
}

/// Converts `max_stream_duration`.
pub(super) fn max_stream_duration(
    context: &mut Context<'_>,
    message: Option<proto::MaxStreamDuration>,
) -> Option<MaxStreamDuration> {
    let message = message?;
    context.field("max_stream_duration", |context| {
        Some(MaxStreamDuration {
            max: context.duration("max_stream_duration", message.max_stream_duration),
            grpc_timeout_header_max: context.duration("grpc_timeout_header_max", message.grpc_timeout_header_max),
            grpc_timeout_header_offset: context
                .duration("grpc_timeout_header_offset", message.grpc_timeout_header_offset),
        })
    })
}
