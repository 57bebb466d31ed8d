//! What is known of the health of a cluster's hosts. The main thread alone writes these.

use super::scope;

scope!(
    /// `cluster.<name>.health_check.`: active health checks.
    HealthCheckStats, "cluster.{}.health_check.",
    counters {
        /// Checks begun.
        attempt,
        /// Checks passed.
        success,
        /// Checks failed, and hosts that said themselves that they must not be used.
        failure,
        /// Of those: no connection, a reset, or no answer in time.
        network_failure,
        /// Of those: the host said so in a response to a request.
        passive_failure,
        /// Responses whose cluster was compared.
        verify_cluster,
    }
    gauges {
        /// Hosts that pass.
        healthy,
        /// Hosts that say that they are degraded.
        degraded,
    }
    histograms {}
);

scope!(
    /// `cluster.<name>.outlier_detection.`: hosts that answer badly.
    OutlierDetectionStats, "cluster.{}.outlier_detection.",
    counters {
        /// Hosts found that had too many 5xx in a row.
        ejections_consecutive_5xx,
        /// The same.
        ejections_detected_consecutive_5xx,
        /// Hosts found that had too many gateway failures in a row.
        ejections_detected_consecutive_gateway_failure,
        /// Hosts found that had too many local failures in a row.
        ejections_detected_consecutive_local_origin_failure,
        /// Hosts found that called themselves degraded.
        ejections_detected_degradation,
        /// Hosts found with too many failures in an interval.
        ejections_detected_failure_percentage,
        /// The same, of local failures.
        ejections_detected_local_origin_failure_percentage,
        /// Hosts found that were worse than the others, in local failures.
        ejections_detected_local_origin_success_rate,
        /// Hosts found that were worse than the others.
        ejections_detected_success_rate,
        /// Hosts ejected for 5xx in a row.
        ejections_enforced_consecutive_5xx,
        /// Hosts ejected for gateway failures in a row.
        ejections_enforced_consecutive_gateway_failure,
        /// Hosts ejected for local failures in a row.
        ejections_enforced_consecutive_local_origin_failure,
        /// Hosts ejected for too many failures.
        ejections_enforced_failure_percentage,
        /// Hosts ejected for too many local failures.
        ejections_enforced_local_origin_failure_percentage,
        /// Hosts ejected for being worse than the others, in local failures.
        ejections_enforced_local_origin_success_rate,
        /// Hosts ejected for being worse than the others.
        ejections_enforced_success_rate,
        /// Hosts ejected.
        ejections_enforced_total,
        /// Hosts not ejected because too many were.
        ejections_overflow,
        /// Hosts found that were worse than the others, in either way.
        ejections_success_rate,
        /// Hosts to eject for 5xx in a row or success rate, whether or not they were.
        ejections_total,
    }
    gauges {
        /// Hosts that are out.
        ejections_active,
    }
    histograms {}
);
