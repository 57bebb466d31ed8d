//! What watches a host: the router tells, and the monitors draw conclusions.

use std::fmt::Debug;

/// How something other than an HTTP response came out (Envoy's `Outlier::Result`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutlierResult {
    /// A connection or a response did not come in time.
    LocalOriginTimeout,
    /// No connection.
    LocalOriginConnectFailed,
    /// A connection; the request is still to come.
    LocalOriginConnectSuccess,
    /// A connection, and nothing else to come (TCP).
    LocalOriginConnectSuccessFinal,
    /// The host took the request and failed.
    ExtOriginRequestFailed,
    /// The host took the request and answered.
    ExtOriginRequestSuccess,
}

/// Outlier detection of one host. Called by all threads, so it counts in atomics; by default it does nothing.
pub trait OutlierMonitor: Debug + Send + Sync {
    /// The status code of a response, or of the local reply that stands for one.
    fn put_http_response_code(&self, _code: u16) {}

    /// Another result; `code` is what it counts as where a code is needed, if it is not the usual one.
    fn put_result(&self, _result: OutlierResult, _code: Option<u16>) {}

    /// A response says `x-envoy-degraded`.
    fn put_degraded(&self) {}

    /// The share of good responses in the last interval, in percent; -1 if there were too few to say. Of responses
    /// if `external`, else of connections.
    fn success_rate(&self, _external: bool) -> f64 {
        -1.0
    }

    /// How often it was ejected.
    fn ejections(&self) -> u32 {
        0
    }
}

/// Active health checking of one host, where others may tell it something.
pub trait HealthCheckMonitor: Debug + Send + Sync {
    /// A response says `x-envoy-immediate-health-check-fail`: the host must not be used any more.
    fn set_unhealthy_immediately(&self) {}
}

/// Watches nothing: for hosts without health checks or outlier detection.
#[derive(Debug)]
pub(crate) struct NoMonitor;

impl OutlierMonitor for NoMonitor {}
impl HealthCheckMonitor for NoMonitor {}
