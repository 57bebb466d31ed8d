//! Outlier detection: hosts that answer badly are left out for a while.

use std::time::Duration;

/// Envoy's `envoy.config.cluster.v3.OutlierDetection`. Percentages are of 100. Runtime keys (`outlier_detection.*`) come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// Between sweeps: ejected hosts come back, and rates are looked at, only then. 10 s by default.
    pub interval: Duration,
    /// A host stays out for so long, times how often it was ejected lately. 30 s by default.
    pub base_ejection_time: Duration,
    /// And never longer than this. The greater of 5 min and `base_ejection_time` by default, and never less than the latter.
    pub max_ejection_time: Duration,
    /// A host comes back up to so much later.
    pub max_ejection_time_jitter: Duration,
    /// Hosts of a cluster that may be out, in percent. 10 by default.
    pub max_ejection_percent: u32,
    /// One host may be out, whatever the percentage.
    pub always_eject_one_host: bool,
    /// 5xx in a row that make a host an outlier; 0 is never. 5 by default.
    pub consecutive_5xx: u32,
    /// 502, 503 or 504 in a row that make a host an outlier; 0 is never. 5 by default.
    pub consecutive_gateway_failure: u32,
    /// Failures to connect, resets and timeouts in a row that make a host an outlier, if `split_external_local_origin_errors`;
    /// 0 is never. 5 by default.
    pub consecutive_local_origin_failure: u32,
    /// Failures to connect, resets and timeouts are counted by themselves, rather than as 5xx.
    pub split_external_local_origin_errors: bool,
    /// Chance of an ejection when it was detected. 100 by default.
    pub enforcing_consecutive_5xx: u32,
    /// 0 by default.
    pub enforcing_consecutive_gateway_failure: u32,
    /// 100 by default.
    pub enforcing_consecutive_local_origin_failure: u32,
    /// 100 by default.
    pub enforcing_success_rate: u32,
    /// 100 by default.
    pub enforcing_local_origin_success_rate: u32,
    /// 0 by default.
    pub enforcing_failure_percentage: u32,
    /// 0 by default.
    pub enforcing_failure_percentage_local_origin: u32,
    /// So many hosts must have `success_rate_request_volume` requests in an interval. 5 by default.
    pub success_rate_minimum_hosts: u32,
    /// 100 by default.
    pub success_rate_request_volume: u32,
    /// Hosts whose rate of success is so many thousandths of the standard deviation below the mean are outliers. 1900 by default.
    pub success_rate_stdev_factor: u32,
    /// Hosts with so many percent of failures are outliers. 85 by default.
    pub failure_percentage_threshold: u32,
    /// So many hosts must have `failure_percentage_request_volume` requests in an interval. 5 by default.
    pub failure_percentage_minimum_hosts: u32,
    /// 50 by default.
    pub failure_percentage_request_volume: u32,
    /// A successful active check ends an ejection. True by default.
    pub successful_active_health_check_uneject_host: bool,
    /// A host whose responses carry `x-envoy-degraded` counts as degraded, for as long as it would else be ejected.
    pub detect_degraded_hosts: bool,
}

// === impl OutlierDetection ===

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            base_ejection_time: Duration::from_secs(30),
            max_ejection_time: Duration::from_secs(300),
            max_ejection_time_jitter: Duration::ZERO,
            max_ejection_percent: 10,
            always_eject_one_host: false,
            consecutive_5xx: 5,
            consecutive_gateway_failure: 5,
            consecutive_local_origin_failure: 5,
            split_external_local_origin_errors: false,
            enforcing_consecutive_5xx: 100,
            enforcing_consecutive_gateway_failure: 0,
            enforcing_consecutive_local_origin_failure: 100,
            enforcing_success_rate: 100,
            enforcing_local_origin_success_rate: 100,
            enforcing_failure_percentage: 0,
            enforcing_failure_percentage_local_origin: 0,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            successful_active_health_check_uneject_host: true,
            detect_degraded_hosts: false,
        }
    }
}
