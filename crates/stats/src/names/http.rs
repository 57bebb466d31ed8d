//! Stats of HTTP connection managers.

use super::scope;

scope!(
    /// `http.<stat_prefix>.`: one HTTP connection manager.
    HttpStats, "http.{}.",
    counters {
        /// Connections accepted.
        downstream_cx_total,
        /// The same, speaking HTTP/1.
        downstream_cx_http1_total,
        /// Connections gone.
        downstream_cx_destroy,
        /// Connections that we closed.
        downstream_cx_destroy_local,
        /// Connections that the client closed.
        downstream_cx_destroy_remote,
        /// Connections gone with a request in flight.
        downstream_cx_destroy_active_rq,
        /// … closed by us.
        downstream_cx_destroy_local_active_rq,
        /// … closed by the client.
        downstream_cx_destroy_remote_active_rq,
        /// Connections closed for a protocol error.
        downstream_cx_protocol_error,
        /// Connections closed for idleness.
        downstream_cx_idle_timeout,
        /// Connections that reached their largest age.
        downstream_cx_max_duration_reached,
        /// Connections that reached their last request.
        downstream_cx_max_requests_reached,
        /// Connections closed because of draining.
        downstream_cx_drain_close,
        /// Bytes received.
        downstream_cx_rx_bytes_total,
        /// Bytes sent.
        downstream_cx_tx_bytes_total,
        /// Requests.
        downstream_rq_total,
        /// The same, over HTTP/1.
        downstream_rq_http1_total,
        /// Requests answered.
        downstream_rq_completed,
        /// Answered with 1xx.
        downstream_rq_1xx,
        /// Answered with 2xx.
        downstream_rq_2xx,
        /// Answered with 3xx.
        downstream_rq_3xx,
        /// Answered with 4xx.
        downstream_rq_4xx,
        /// Answered with 5xx.
        downstream_rq_5xx,
        /// Requests whose head was too large.
        downstream_rq_too_large,
        /// Requests that ran into `request_timeout`.
        downstream_rq_timeout,
        /// Requests that ran into `request_headers_timeout`.
        downstream_rq_header_timeout,
        /// Requests that ran into `stream_idle_timeout`.
        downstream_rq_idle_timeout,
        /// Requests that ran into `max_stream_duration`.
        downstream_rq_max_duration_reached,
        /// Requests reset by the client.
        downstream_rq_rx_reset,
        /// Requests reset by us.
        downstream_rq_tx_reset,
        /// Requests answered before they were complete.
        downstream_rq_response_before_rq_complete,
        /// Requests with a path that is not absolute.
        downstream_rq_non_relative_path,
        /// Upgrades on a route that has none.
        downstream_rq_ws_on_non_ws_route,
        /// Requests that no route matched (written by the router).
        no_route,
        /// Requests whose route names a cluster that does not exist.
        no_cluster,
        /// Requests answered by `direct_response`.
        rq_direct_response,
        /// Requests that the router handled.
        rq_total,
    }
    gauges {
        /// Connections open.
        downstream_cx_active,
        /// The same, speaking HTTP/1.
        downstream_cx_http1_active,
        /// Requests in flight.
        downstream_rq_active,
    }
    histograms {
        /// Request times: from the first byte of the head to the end of the stream.
        downstream_rq_time: Milliseconds,
        /// How long connections lived.
        downstream_cx_length_ms: Milliseconds,
    }
);

scope!(
    /// `listener.<address>.http.<stat_prefix>.`: what a connection manager answered, by listener. The name is
    /// `<address>.http.<stat_prefix>`.
    HttpListenerStats, "listener.{}.",
    counters {
        /// Answered.
        downstream_rq_completed,
        /// Answered with 1xx.
        downstream_rq_1xx,
        /// Answered with 2xx.
        downstream_rq_2xx,
        /// Answered with 3xx.
        downstream_rq_3xx,
        /// Answered with 4xx.
        downstream_rq_4xx,
        /// Answered with 5xx.
        downstream_rq_5xx,
    }
    gauges {}
    histograms {}
);
