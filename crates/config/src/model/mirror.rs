//! Mirrored requests, and the times of streams.

use std::time::Duration;

use super::RuntimeFractionalPercent;

/// Envoy's `RouteAction.RequestMirrorPolicy`: the request goes to another cluster, too, and nobody waits for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestMirrorPolicy {
    /// Where to.
    pub cluster: MirrorCluster,
    /// How many requests.
    pub runtime_fraction: Option<RuntimeFractionalPercent>,
    /// Leave `host` as it is; else its name gets `-shadow`.
    pub disable_shadow_host_suffix_append: bool,
    /// `host` instead; empty if not set.
    pub host_rewrite_literal: String,
}

/// Where a mirrored request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorCluster {
    /// To this cluster.
    Name(String),
    /// To the cluster that this header of the request names, if it exists. In lower case.
    Header(String),
}

/// Envoy's `RouteAction.MaxStreamDuration`. Where it is set, the route's `timeout` does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxStreamDuration {
    /// Instead of the connection manager's; zero is no limit.
    pub max: Option<Duration>,
    /// With this, `grpc-timeout` of the request counts, up to this; zero is no limit.
    pub grpc_timeout_header_max: Option<Duration>,
    /// What is taken from `grpc-timeout`.
    pub grpc_timeout_header_offset: Option<Duration>,
}
