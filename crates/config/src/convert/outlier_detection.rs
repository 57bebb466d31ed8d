//! Outlier detection.

use std::time::Duration;

use super::Context;
use crate::{model::OutlierDetection, proto::envoy::config::cluster::v3 as proto};

/// Converts the message. Percentages and intervals are seen to by rules.
pub(super) fn outlier_detection(
    context: &mut Context<'_>,
    message: &proto::OutlierDetection,
) -> Option<OutlierDetection> {
    let d = OutlierDetection::default();
    let mut time = |name: &str, value, default: Duration| context.duration(name, value).unwrap_or(default);
    let interval = time("interval", message.interval, d.interval);
    let base_ejection_time = time("base_ejection_time", message.base_ejection_time, d.base_ejection_time);
    let greatest = d.max_ejection_time.max(base_ejection_time);
    let max_ejection_time = time("max_ejection_time", message.max_ejection_time, greatest);
    let max_ejection_time_jitter = time("max_ejection_time_jitter", message.max_ejection_time_jitter, Duration::ZERO);
    if max_ejection_time < base_ejection_time {
        context.error_at(
            "max_ejection_time",
            "outlier detector's max_ejection_time cannot be smaller than base_ejection_time",
        );
        return None;
    }
    macro_rules! or_default {
        ($($field:ident)*) => {
            OutlierDetection {
                interval,
                base_ejection_time,
                max_ejection_time,
                max_ejection_time_jitter,
                split_external_local_origin_errors: message.split_external_local_origin_errors,
                $($field: message.$field.unwrap_or(d.$field),)*
            }
        };
    }
    Some(or_default!(
        max_ejection_percent always_eject_one_host consecutive_5xx consecutive_gateway_failure
        consecutive_local_origin_failure enforcing_consecutive_5xx enforcing_consecutive_gateway_failure
        enforcing_consecutive_local_origin_failure enforcing_success_rate enforcing_local_origin_success_rate
        enforcing_failure_percentage enforcing_failure_percentage_local_origin success_rate_minimum_hosts
        success_rate_request_volume success_rate_stdev_factor failure_percentage_threshold
        failure_percentage_minimum_hosts failure_percentage_request_volume
        successful_active_health_check_uneject_host detect_degraded_hosts
    ))
}
