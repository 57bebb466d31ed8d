//! Stats of clusters.

use super::scope;

scope!(
    /// `cluster_manager.cds.`, beside the stats of every subscription.
    CdsStats, "{}",
    counters {
        /// Updates that changed a cluster.
        config_reload,
    }
    gauges {
        /// When one last did, in milliseconds of the Unix epoch.
        config_reload_time_ms,
    }
    histograms {}
);

scope!(
    /// `cluster.<name>.`: one upstream cluster.
    ClusterStats, "cluster.{}.",
    counters {
        /// Connections tried.
        upstream_cx_total,
        /// The same, over HTTP/1.
        upstream_cx_http1_total,
        /// The same, speaking HTTP/2.
        upstream_cx_http2_total,
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
        /// Source addresses that could not be bound.
        bind_errors,
        /// Hosts chosen among all, since too few are healthy.
        lb_healthy_panic,
        /// Times that locality routing was calculated.
        lb_recalculate_zone_structures,
        /// No locality routing, since there are too few hosts.
        lb_zone_cluster_too_small,
        /// Other localities had no capacity left.
        lb_zone_no_capacity_left,
        /// Requests routed to this locality, which can take all.
        lb_zone_routing_all_directly,
        /// Requests routed to another locality.
        lb_zone_routing_cross_zone,
        /// Requests routed to this locality while others get a part.
        lb_zone_routing_sampled,
        /// No locality routing, since the local cluster is in panic.
        lb_local_cluster_not_ok,
        /// Subsets made.
        lb_subsets_created,
        /// Subsets removed.
        lb_subsets_removed,
        /// Hosts chosen from a subset.
        lb_subsets_selected,
        /// Hosts chosen by the fallback policy.
        lb_subsets_fallback,
        /// Hosts chosen by the panic mode of subsets.
        lb_subsets_fallback_panic,
        /// Bodies too large to be kept for a retry or a mirror.
        retry_or_shadow_abandoned,
        /// Endpoints dropped, since no others came in time.
        assignment_stale,
        /// Endpoints that came with a time after which they are stale.
        assignment_timeout_received,
        /// Updates without hosts.
        update_empty,
        /// Updates that changed nothing.
        update_no_rebuild,
        /// Connections that the host said it would close.
        upstream_cx_close_notify,
        /// Requests that gave up connecting.
        upstream_cx_connect_attempts_exceeded,
        /// Connections that reached their largest age.
        upstream_cx_max_duration_reached,
        /// Pools refused by the circuit breaker.
        upstream_cx_pool_overflow,
        /// Times that a connection to a host was full.
        upstream_flow_control_backed_up_total,
        /// Times that it had room again.
        upstream_flow_control_drained_total,
        /// Times that reading from a host was paused.
        upstream_flow_control_paused_reading_total,
        /// Times that it was resumed.
        upstream_flow_control_resumed_reading_total,
        /// Redirects not followed internally.
        upstream_internal_redirect_failed_total,
        /// Redirects followed internally.
        upstream_internal_redirect_succeeded_total,
        /// Requests refused by the circuit breaker on requests.
        upstream_rq_active_overflow,
        /// Requests refused in maintenance mode.
        upstream_rq_maintenance_mode,
        /// Requests that reached `max_stream_duration`.
        upstream_rq_max_duration_reached,
        /// Tries that were idle for too long.
        upstream_rq_per_try_idle_timeout,
        /// Tries that took too long.
        upstream_rq_per_try_timeout,
        /// Retries.
        upstream_rq_retry,
        /// Retries after an exponential back-off.
        upstream_rq_retry_backoff_exponential,
        /// Retries after the time that a host asked for.
        upstream_rq_retry_backoff_ratelimited,
        /// Requests not retried, since there were enough retries.
        upstream_rq_retry_limit_exceeded,
        /// Requests not retried for the circuit breaker or the budget.
        upstream_rq_retry_overflow,
        /// Retries that ended well.
        upstream_rq_retry_success,
    }
    gauges {
        /// Connections open.
        upstream_cx_active,
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
        /// Excluded hosts (written by the main thread alone).
        membership_excluded,
        /// The largest weight of a host.
        max_host_weight,
        /// Subsets.
        lb_subsets_active,
        /// Bytes that the last reads found.
        upstream_cx_rx_bytes_buffered,
        /// Bytes not written yet.
        upstream_cx_tx_bytes_buffered,
        /// A hash of the configuration's version.
        version,
        /// Whether the cluster waits for its first hosts.
        warming_state,
    }
    histograms {
        /// How long connections took to be made.
        upstream_cx_connect_ms: Milliseconds,
        /// How long connections lived.
        upstream_cx_length_ms: Milliseconds,
        /// Requests that a connection served.
        upstream_rq_per_cx: Unspecified,
    }
    zeros {
        counters {
            assignment_use_cached,
            original_dst_host_invalid,
            upstream_cx_connect_with_0_rtt,
            upstream_cx_http3_total,
            upstream_cx_preconnect_skipped,
            upstream_http3_broken,
            upstream_rq_0rtt,
            upstream_rq_rx_reset_no_error,
        }
        gauges {
            upstream_queue_overloaded,
        }
    }
);

scope!(
    /// `cluster.<name>.default.`: the one transport socket of a cluster.
    TransportSocketMatchStats, "cluster.{}.default.",
    counters {
        /// Hosts that use it.
        total_match_count,
    }
    gauges {}
    histograms {}
);
