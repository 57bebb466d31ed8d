//! Stats of TCP proxies.

use super::scope;

scope!(
    /// `tcp.<stat_prefix>.`: one TCP proxy.
    TcpProxyStats, "tcp.{}.",
    counters {
        /// Connections.
        downstream_cx_total,
        /// Connections for which there was no cluster.
        downstream_cx_no_route,
        /// Bytes sent to clients.
        downstream_cx_tx_bytes_total,
        /// Bytes that came from clients.
        downstream_cx_rx_bytes_total,
        /// How often a client was not read from since its host was slow.
        downstream_flow_control_paused_reading_total,
        /// How often it was read from again.
        downstream_flow_control_resumed_reading_total,
        /// Connections closed since nothing moved.
        idle_timeout,
        /// Connections closed at their greatest age.
        max_downstream_connection_duration,
        /// Connections whose client had gone while bytes waited for the host.
        upstream_flush_total,
    }
    gauges {
        /// Bytes of clients that are not yet passed on.
        downstream_cx_rx_bytes_buffered,
        /// Bytes that wait for clients.
        downstream_cx_tx_bytes_buffered,
        /// Connections to hosts whose clients have gone.
        upstream_flush_active,
    }
    histograms {}
    zeros {
        counters {
            downstream_cx_drain_close,
            downstream_cx_overload_close,
            early_data_received_count_total,
            route_delayed_total,
        }
        gauges {}
    }
);
