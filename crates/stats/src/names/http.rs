//! Stats of HTTP connection managers and what belongs to them.

use super::scope;

scope!(
    /// `http.<stat_prefix>.`: one HTTP connection manager.
    HttpStats, "http.{}.",
    counters {
        /// Connections accepted.
        downstream_cx_total,
        /// The same, speaking HTTP/1.
        downstream_cx_http1_total,
        /// The same, speaking HTTP/2.
        downstream_cx_http2_total,
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
        /// Connections with TLS accepted.
        downstream_cx_ssl_total,
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
        /// The same, over HTTP/2.
        downstream_rq_http2_total,
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
        /// Connections closed for requests that were reset soon after they had come.
        downstream_rq_too_many_premature_resets,
        /// Requests reset by us.
        downstream_rq_tx_reset,
        /// Requests answered before they were complete.
        downstream_rq_response_before_rq_complete,
        /// Requests with a path that is not absolute.
        downstream_rq_non_relative_path,
        /// Upgrades on a route that has none.
        downstream_rq_ws_on_non_ws_route,
        /// Connections closed before the client had read all.
        downstream_cx_delayed_close_timeout,
        /// Connections upgraded.
        downstream_cx_upgrades_total,
        /// Times that reading from a client was paused.
        downstream_flow_control_paused_reading_total,
        /// Times that it was resumed.
        downstream_flow_control_resumed_reading_total,
        /// Requests whose path could not be normalized.
        downstream_rq_failed_path_normalization,
        /// Requests redirected to their normalized path.
        downstream_rq_redirected_with_normalized_path,
        /// Requests refused by the detection of the client's address.
        downstream_rq_rejected_via_ip_detection,
        /// Responses too large for a filter's buffer.
        rs_too_large,
    }
    gauges {
        /// Connections open.
        downstream_cx_active,
        /// The same, with TLS.
        downstream_cx_ssl_active,
        /// The same, speaking HTTP/1.
        downstream_cx_http1_active,
        /// The same, speaking HTTP/2.
        downstream_cx_http2_active,
        /// Requests in flight.
        downstream_rq_active,
        /// Bytes that the last reads found.
        downstream_cx_rx_bytes_buffered,
        /// Bytes not written yet.
        downstream_cx_tx_bytes_buffered,
        /// Upgraded connections open.
        downstream_cx_upgrades_active,
    }
    histograms {
        /// How long connections lived.
        downstream_cx_length_ms: Milliseconds,
        /// How long requests took, to the end of the stream.
        downstream_rq_time: Milliseconds,
    }
    zeros {
        counters {
            downstream_cx_http3_total,
            downstream_cx_overload_disable_keepalive,
            downstream_rq_http3_total,
            downstream_rq_overload_close,
        }
        gauges {
            downstream_cx_http1_soft_drain,
            downstream_cx_http3_active,
        }
    }
);

scope!(
    /// `http.<stat_prefix>.`: the router of a connection manager.
    RouterStats verbatim, "http.{}.",
    counters {
        /// Requests that no route matched.
        no_route,
        /// Requests whose route names a cluster that does not exist.
        no_cluster,
        /// Requests answered by `direct_response`.
        rq_direct_response,
        /// Requests that the router handled.
        rq_total,
        /// Requests answered by `redirect`.
        rq_redirect,
        /// Requests that the host reset after its response had begun.
        rq_reset_after_downstream_response_started,
        /// Redirects passed on, since their location is no URL.
        passthrough_internal_redirect_bad_location,
        /// Redirects passed on, since no route matches their location.
        passthrough_internal_redirect_no_route,
        /// Redirects passed on by a predicate.
        passthrough_internal_redirect_predicate,
        /// Redirects passed on, since there were enough.
        passthrough_internal_redirect_too_many_redirects,
        /// Redirects passed on for their scheme.
        passthrough_internal_redirect_unsafe_scheme,
    }
    gauges {}
    histograms {}
    zeros {
        counters {
            rq_overload_local_reply,
        }
        gauges {}
    }
);

scope!(
    /// `http.<stat_prefix>.tracing.`: which requests are traced. Nothing traces yet.
    TracingStats, "http.{}.tracing.",
    counters {}
    gauges {}
    histograms {}
    zeros {
        counters {
            client_enabled,
            health_check,
            not_traceable,
            random_sampling,
            service_forced,
        }
        gauges {}
    }
);

scope!(
    /// `http1.` of all clients, or `cluster.<name>.http1.` of one cluster's hosts, made with the first HTTP/1 connection; the
    /// name is what comes before `http1.`.
    Http1CodecStats, "{}http1.",
    counters {
        /// Headers dropped for their name.
        dropped_headers_with_underscores,
        /// Requests refused for a header's name.
        requests_rejected_with_underscores_in_headers,
    }
    gauges {}
    histograms {}
    zeros {
        counters {
            metadata_not_supported_error,
            response_flood,
        }
        gauges {}
    }
);

scope!(
    /// `http2.` of all clients, or `cluster.<name>.http2.` of one cluster's hosts, made with the first HTTP/2 connection; the
    /// name is what comes before `http2.`.
    Http2CodecStats, "{}http2.",
    counters {
        /// Headers dropped for their name.
        dropped_headers_with_underscores,
        /// GOAWAY frames sent.
        goaway_sent,
        /// Messages with more headers, or more bytes of them, than are taken.
        header_overflow,
        /// Messages with more bytes of headers than are taken.
        header_list_size_too_large,
        /// Connections closed for frames without content.
        inbound_empty_frames_flood,
        /// Connections closed for PRIORITY frames.
        inbound_priority_frames_flood,
        /// Connections closed for WINDOW_UPDATE frames.
        inbound_window_update_frames_flood,
        /// Connections closed for a PING that nobody answered.
        keepalive_timeout,
        /// Connections of clients.
        nghttp2_downstream_connections,
        /// Connections to upstreams.
        nghttp2_upstream_connections,
        /// Connections closed for frames that a peer did not read, and had asked for.
        outbound_control_flood,
        /// Connections closed for frames that a peer did not read.
        outbound_flood,
        /// Requests refused for a header's name.
        requests_rejected_with_underscores_in_headers,
        /// Messages that break a rule of HTTP.
        rx_messaging_error,
        /// Streams that a peer reset.
        rx_reset,
        /// Streams that a peer refused.
        stream_refused_errors,
        /// Messages with trailers.
        trailers,
        /// Streams whose last bytes the peer did not take in time.
        tx_flush_timeout,
        /// Streams that were reset here.
        tx_reset,
    }
    gauges {
        /// Streams open.
        streams_active,
        /// Bytes that wait for a peer's window.
        pending_send_bytes,
    }
    histograms {}
    zeros {
        counters {
            cookies_total_bytes_too_large,
            headers_cb_no_stream,
            metadata_empty_frames,
            oghttp2_downstream_connections,
            oghttp2_upstream_connections,
        }
        gauges {
            deferred_stream_close,
            outbound_control_frames_active,
            outbound_frames_active,
        }
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
