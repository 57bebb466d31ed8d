//! Retry and hedge policies.

use std::time::Duration;

use prost::Message as _;

use super::{Context, matcher, metadata::lb_names, type_name};
use crate::{
    model::{
        BackOff, HedgePolicy, RateLimitedBackOff, ResetHeader, ResetHeaderFormat, RetryHostPredicate, RetryOn,
        RetryPolicy, RetryPriority,
    },
    proto::envoy::{
        config::route::v3::{self as proto, retry_policy},
        extensions::retry::{
            host::omit_host_metadata::v3::OmitHostMetadataConfig,
            priority::previous_priorities::v3::PreviousPrioritiesConfig,
        },
    },
};

const PREVIOUS_HOSTS: &str = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
const OMIT_CANARY_HOSTS: &str = "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate";
const OMIT_HOST_METADATA: &str = "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig";
const PREVIOUS_PRIORITIES: &str = "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig";

/// Envoy does not believe a response that says to come again later than this.
const MAX_RESET_INTERVAL: Duration = Duration::from_secs(300);

/// Converts `retry_policy`.
pub(super) fn retry_policy(context: &mut Context<'_>, message: Option<proto::RetryPolicy>) -> Option<RetryPolicy> {
    context.field("retry_policy", |context| convert(context, message?))
}

/// Converts `hedge_policy`.
pub(super) fn hedge_policy(message: Option<&proto::HedgePolicy>) -> Option<HedgePolicy> {
    message.map(|message| HedgePolicy { hedge_on_per_try_timeout: message.hedge_on_per_try_timeout })
}

fn convert(context: &mut Context<'_>, message: proto::RetryPolicy) -> Option<RetryPolicy> {
    let (retry_on, unknown) = RetryOn::parse_policy(&message.retry_on);
    if let Some(name) = unknown {
        context.warning_at("retry_on", format!("there is no condition \"{name}\", so it counts for nothing"));
    }
    let host_predicates = context.list("retry_host_predicate", message.retry_host_predicate, |context, message| {
        host_predicate(context, &message)
    });
    Some(RetryPolicy {
        retry_on,
        num_retries: message.num_retries.unwrap_or(1),
        per_try_timeout: context.limit("per_try_timeout", message.per_try_timeout, None),
        per_try_idle_timeout: context.limit("per_try_idle_timeout", message.per_try_idle_timeout, None),
        retry_priority: message
            .retry_priority
            .and_then(|message| context.field("retry_priority", |context| retry_priority(context, &message))),
        host_predicates,
        host_selection_max_attempts: u32::try_from(message.host_selection_retry_max_attempts).unwrap_or(1).max(1),
        retriable_status_codes: message.retriable_status_codes,
        retriable_headers: matcher::headers(context, "retriable_headers", message.retriable_headers),
        retriable_request_headers: matcher::headers(
            context,
            "retriable_request_headers",
            message.retriable_request_headers,
        ),
        back_off: back_off(context, message.retry_back_off),
        rate_limited_back_off: message.rate_limited_retry_back_off.map(|message| {
            context.field("rate_limited_retry_back_off", |context| rate_limited_back_off(context, message))
        }),
    })
}

/// Below a millisecond Envoy waits a millisecond.
fn interval(context: &mut Context<'_>, field: &str, value: Option<prost_types::Duration>) -> Option<Duration> {
    context.duration(field, value).map(|interval| interval.max(Duration::from_millis(1)))
}

fn back_off(context: &mut Context<'_>, message: Option<retry_policy::RetryBackOff>) -> BackOff {
    let Some(message) = message else { return BackOff { base_interval: None, max_interval: None } };
    context.field("retry_back_off", |context| {
        let base_interval = interval(context, "base_interval", message.base_interval);
        let max_interval = interval(context, "max_interval", message.max_interval);
        if let (Some(base), Some(max)) = (base_interval, max_interval)
            && max < base
        {
            context.error("retry_policy.max_interval must greater than or equal to the base_interval");
        }
        BackOff { base_interval, max_interval }
    })
}

fn rate_limited_back_off(
    context: &mut Context<'_>,
    message: retry_policy::RateLimitedRetryBackOff,
) -> RateLimitedBackOff {
    let format = |format| match retry_policy::ResetHeaderFormat::try_from(format) {
        Ok(retry_policy::ResetHeaderFormat::UnixTimestamp) => ResetHeaderFormat::UnixTimestamp,
        Ok(retry_policy::ResetHeaderFormat::Seconds) | Err(_) => ResetHeaderFormat::Seconds,
    };
    let header = |header: retry_policy::ResetHeader| ResetHeader {
        format: format(header.format),
        name: header.name.to_ascii_lowercase(),
    };
    RateLimitedBackOff {
        reset_headers: message.reset_headers.into_iter().map(header).collect(),
        max_interval: interval(context, "max_interval", message.max_interval).unwrap_or(MAX_RESET_INTERVAL),
    }
}

fn host_predicate(context: &mut Context<'_>, message: &retry_policy::RetryHostPredicate) -> Option<RetryHostPredicate> {
    use retry_policy::retry_host_predicate::ConfigType;
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    match config.map(|config| (type_name(config), config)) {
        Some((PREVIOUS_HOSTS, _)) => Some(RetryHostPredicate::PreviousHosts),
        Some((OMIT_CANARY_HOSTS, _)) => Some(RetryHostPredicate::OmitCanaryHosts),
        Some((OMIT_HOST_METADATA, config)) => {
            let config: OmitHostMetadataConfig = context.field("typed_config", |context| context.unpack(config))?;
            let metadata = config.metadata_match.unwrap_or_default();
            Some(RetryHostPredicate::OmitHostMetadata { names: lb_names(&metadata), metadata: metadata.into() })
        }
        _ => {
            context.unknown_extension("retry host predicate", &message.name, config);
            None
        }
    }
}

fn retry_priority(context: &mut Context<'_>, message: &retry_policy::RetryPriority) -> Option<RetryPriority> {
    use retry_policy::retry_priority::ConfigType;
    let config = message.config_type.as_ref().map(|ConfigType::TypedConfig(config)| config);
    match config.map(|config| (type_name(config), config)) {
        Some((PREVIOUS_PRIORITIES, config)) => {
            let config = PreviousPrioritiesConfig::decode(config.value.as_slice()).unwrap_or_default();
            // A rule has seen to it that it is above zero.
            Some(RetryPriority::PreviousPriorities {
                update_frequency: u32::try_from(config.update_frequency).unwrap_or(1).max(1),
            })
        }
        _ => {
            context.unknown_extension("retry priority", &message.name, config);
            None
        }
    }
}
