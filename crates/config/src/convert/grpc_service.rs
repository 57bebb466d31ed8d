//! gRPC services: those that plugins name in a call, which are no part of the configuration's text, and control planes.

use std::time::Duration;

use prost::Message as _;

use crate::{
    model::{BackOff, EnvoyGrpc, GrpcService, GrpcTarget, RetryOn, RetryPolicy},
    proto::envoy::config::core::v3::{self as proto, grpc_service::TargetSpecifier},
};

/// Between attempts, unless a policy has something else (as in Envoy).
const BASE_INTERVAL: Duration = Duration::from_secs(1);

/// Reads a serialized `envoy.config.core.v3.GrpcService`; `None` if the bytes are none. No rule of the schema is checked (as in Envoy).
#[must_use]
pub fn parse_grpc_service(serialized: &[u8]) -> Option<GrpcService> {
    Some(grpc_service(proto::GrpcService::decode(serialized).ok()?))
}

/// Converts a service.
pub(super) fn grpc_service(message: proto::GrpcService) -> GrpcService {
    let target = match message.target_specifier {
        Some(TargetSpecifier::EnvoyGrpc(message)) => GrpcTarget::Envoy(EnvoyGrpc {
            cluster_name: message.cluster_name,
            authority: message.authority,
            max_receive_message_length: message.max_receive_message_length.unwrap_or(0),
            skip_envoy_headers: message.skip_envoy_headers,
        }),
        None if message.google_grpc.is_some() => GrpcTarget::Google,
        None => GrpcTarget::Missing,
    };
    let initial_metadata = message.initial_metadata.into_iter().map(|header| (header.key, header.value)).collect();
    GrpcService { target, initial_metadata, retry_policy: message.retry_policy.map(retry_policy) }
}

/// A policy of the core package, as Envoy makes a route's policy of it: an attempt may take as long as the longest interval.
fn retry_policy(message: proto::RetryPolicy) -> RetryPolicy {
    let back_off = message.retry_back_off.unwrap_or_default();
    let duration = |value: Option<prost_types::Duration>| value.and_then(|value| Duration::try_from(value).ok());
    let base = duration(back_off.base_interval).unwrap_or(BASE_INTERVAL).max(Duration::from_millis(1));
    let max = duration(back_off.max_interval).unwrap_or(base.saturating_mul(10)).max(base);
    RetryPolicy {
        num_retries: message.num_retries.unwrap_or(1),
        per_try_timeout: Some(max),
        back_off: BackOff { base_interval: Some(base), max_interval: Some(max) },
        ..RetryPolicy::on(RetryOn::parse_policy(&message.retry_on).0)
    }
}
