//! The HTTP filter that answers health checks.

use super::{Context, matcher};
use crate::{model::HealthCheckFilter, proto::envoy::extensions::filters::http::health_check::v3 as proto};

/// Converts the filter's configuration.
pub(super) fn health_check_filter(context: &mut Context<'_>, message: proto::HealthCheck) -> HealthCheckFilter {
    let pass_through_mode = message.pass_through_mode.unwrap_or_default();
    let cache_time = context.duration("cache_time", message.cache_time).filter(|time| !time.is_zero());
    if !pass_through_mode && cache_time.is_some() {
        context.error_at("cache_time", "cache_time_ms must not be set when path_through_mode is disabled");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Envoy takes whole percents, and a rule their range"
    )]
    let percentages = message.cluster_min_healthy_percentages.into_iter().map(|(name, p)| (name, p.value as u64));
    HealthCheckFilter {
        pass_through_mode,
        cache_time,
        // With `pass_through_mode` the service behind decides.
        cluster_min_healthy_percentages: if pass_through_mode { Vec::new() } else { percentages.collect() },
        headers: matcher::headers(context, "headers", message.headers),
    }
}
