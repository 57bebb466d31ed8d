//! gRPC services that plugins name.

use super::RetryPolicy;

/// Envoy's `envoy.config.core.v3.GrpcService`.
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcService {
    /// Who is called.
    pub target: GrpcTarget,
    /// Headers of every call, each instead of what is there of its name.
    pub initial_metadata: Vec<(String, String)>,
    /// `retry_policy` of the service; that of `envoy_grpc` is not read (as in Envoy).
    pub retry_policy: Option<RetryPolicy>,
}

/// By which client a service is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrpcTarget {
    /// `envoy_grpc`.
    Envoy(EnvoyGrpc),
    /// `google_grpc`.
    Google,
    /// Neither. Envoy 1.40 does not survive the call.
    Missing,
}

/// Envoy's `GrpcService.EnvoyGrpc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvoyGrpc {
    /// The cluster.
    pub cluster_name: String,
    /// `:authority` of calls; empty: the cluster's name.
    pub authority: String,
    /// The longest message that is received, in bytes; 0 is no limit.
    pub max_receive_message_length: u32,
    /// Leave out `x-envoy-internal`.
    pub skip_envoy_headers: bool,
}

impl GrpcService {
    /// What a plugin means that names a cluster instead of a service.
    #[must_use]
    pub fn of_cluster(name: &str) -> Self {
        Self {
            target: GrpcTarget::Envoy(EnvoyGrpc { cluster_name: name.to_owned(), ..EnvoyGrpc::default() }),
            initial_metadata: Vec::new(),
            retry_policy: None,
        }
    }
}
