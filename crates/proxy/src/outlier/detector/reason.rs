//! The ways in which a host is found to be an outlier.

use sandgate_config::model::OutlierDetection;

use crate::stats::OutlierDetectionStats;

/// Why a host is an outlier. Envoy's `OutlierEjectionType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Consecutive5xx,
    ConsecutiveGatewayFailure,
    SuccessRate,
    ConsecutiveLocalOriginFailure,
    SuccessRateLocalOrigin,
    FailurePercentage,
    FailurePercentageLocalOrigin,
    Degraded,
}

// === impl Reason ===

impl Reason {
    /// The runtime key of the chance that it is enforced, and its default.
    pub(super) fn enforcing(self, config: &OutlierDetection) -> (&'static str, u32) {
        match self {
            Self::Consecutive5xx => ("outlier_detection.enforcing_consecutive_5xx", config.enforcing_consecutive_5xx),
            Self::ConsecutiveGatewayFailure => (
                "outlier_detection.enforcing_consecutive_gateway_failure",
                config.enforcing_consecutive_gateway_failure,
            ),
            Self::SuccessRate => ("outlier_detection.enforcing_success_rate", config.enforcing_success_rate),
            Self::ConsecutiveLocalOriginFailure => (
                "outlier_detection.enforcing_consecutive_local_origin_failure",
                config.enforcing_consecutive_local_origin_failure,
            ),
            Self::SuccessRateLocalOrigin => {
                ("outlier_detection.enforcing_local_origin_success_rate", config.enforcing_local_origin_success_rate)
            }
            Self::FailurePercentage => {
                ("outlier_detection.enforcing_failure_percentage", config.enforcing_failure_percentage)
            }
            Self::FailurePercentageLocalOrigin => (
                "outlier_detection.enforcing_failure_percentage_local_origin",
                config.enforcing_failure_percentage_local_origin,
            ),
            Self::Degraded => ("", 100),
        }
    }

    pub(super) fn count_detected(self, stats: &OutlierDetectionStats) {
        match self {
            Self::Consecutive5xx => stats.ejections_detected_consecutive_5xx(),
            Self::ConsecutiveGatewayFailure => stats.ejections_detected_consecutive_gateway_failure(),
            Self::SuccessRate => stats.ejections_detected_success_rate(),
            Self::ConsecutiveLocalOriginFailure => stats.ejections_detected_consecutive_local_origin_failure(),
            Self::SuccessRateLocalOrigin => stats.ejections_detected_local_origin_success_rate(),
            Self::FailurePercentage => stats.ejections_detected_failure_percentage(),
            Self::FailurePercentageLocalOrigin => stats.ejections_detected_local_origin_failure_percentage(),
            Self::Degraded => stats.ejections_detected_degradation(),
        }
        .inc();
    }

    pub(super) fn count_enforced(self, stats: &OutlierDetectionStats) {
        stats.ejections_enforced_total().inc();
        match self {
            Self::Consecutive5xx => stats.ejections_enforced_consecutive_5xx(),
            Self::ConsecutiveGatewayFailure => stats.ejections_enforced_consecutive_gateway_failure(),
            Self::SuccessRate => stats.ejections_enforced_success_rate(),
            Self::ConsecutiveLocalOriginFailure => stats.ejections_enforced_consecutive_local_origin_failure(),
            Self::SuccessRateLocalOrigin => stats.ejections_enforced_local_origin_success_rate(),
            Self::FailurePercentage => stats.ejections_enforced_failure_percentage(),
            Self::FailurePercentageLocalOrigin => stats.ejections_enforced_local_origin_failure_percentage(),
            Self::Degraded => return,
        }
        .inc();
    }
}
