//! Stats of clusters.

use super::scope;

scope!(
    /// `cluster.<name>.`: one upstream cluster.
    ClusterStats, "cluster.{}.",
    counters {
        /// Connections tried.
        upstream_cx_total,
        /// The same, over HTTP/1.
        upstream_cx_http1_total,
        /// Connections that could not be made.
        upstream_cx_connect_fail,
        /// … within `connect_timeout`.
        upstream_cx_connect_timeout,
        /// Connections gone.
        upstream_cx_destroy,
        /// Connections that we closed.
        upstream_cx_destroy_local,
        /// Connections that the host closed.
        upstream_cx_destroy_remote,
        /// Connections gone with a request in flight.
        upstream_cx_destroy_with_active_rq,
        /// … closed by us.
        upstream_cx_destroy_local_with_active_rq,
        /// … closed by the host.
        upstream_cx_destroy_remote_with_active_rq,
        /// Connections closed for idleness.
        upstream_cx_idle_timeout,
        /// Connections that served their last request.
        upstream_cx_max_requests,
        /// Connections refused by the circuit breaker.
        upstream_cx_overflow,
        /// Connections closed for a protocol error.
        upstream_cx_protocol_error,
        /// No connection for want of a healthy host.
        upstream_cx_none_healthy,
        /// Bytes received.
        upstream_cx_rx_bytes_total,
        /// Bytes sent.
        upstream_cx_tx_bytes_total,
        /// Requests.
        upstream_rq_total,
        /// Requests answered.
        upstream_rq_completed,
        /// Answered with 1xx.
        upstream_rq_1xx,
        /// Answered with 2xx.
        upstream_rq_2xx,
        /// Answered with 3xx.
        upstream_rq_3xx,
        /// Answered with 4xx.
        upstream_rq_4xx,
        /// Answered with 5xx.
        upstream_rq_5xx,
        /// Requests that waited for a connection.
        upstream_rq_pending_total,
        /// Requests refused by the circuit breaker.
        upstream_rq_pending_overflow,
        /// Requests that failed because their connection could not be made.
        upstream_rq_pending_failure_eject,
        /// Requests that ran into the route's timeout.
        upstream_rq_timeout,
        /// Requests given up by the client.
        upstream_rq_cancelled,
        /// Requests reset by the host.
        upstream_rq_rx_reset,
        /// Requests reset by us.
        upstream_rq_tx_reset,
        /// Membership changes.
        membership_change,
        /// Name resolutions tried.
        update_attempt,
        /// Name resolutions that worked.
        update_success,
        /// Name resolutions that failed.
        update_failure,
    }
    gauges {
        /// Connections open.
        upstream_cx_active,
        /// The same, speaking HTTP/1.
        upstream_cx_http1_active,
        /// Requests in flight.
        upstream_rq_active,
        /// Requests waiting for a connection.
        upstream_rq_pending_active,
        /// Hosts (written by the main thread alone).
        membership_total,
        /// Healthy hosts (written by the main thread alone).
        membership_healthy,
        /// Degraded hosts (written by the main thread alone).
        membership_degraded,
        /// Hosts that do not count in the share of healthy ones (written by the main thread alone).
        membership_excluded,
    }
    histograms {
        /// How long connections took to be made.
        upstream_cx_connect_ms: Milliseconds,
        /// How long connections lived.
        upstream_cx_length_ms: Milliseconds,
        /// Requests that a connection served.
        upstream_rq_per_cx: Unspecified,
    }
);
