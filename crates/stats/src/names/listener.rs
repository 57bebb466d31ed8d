//! Stats of listeners.

use super::scope;

scope!(
    /// `listener.<address>.`: one listener; the name is its `stat_prefix` or its address with `:` as `_`.
    ListenerStats, "listener.{}.",
    counters {
        /// Connections accepted.
        downstream_cx_total,
        /// Connections gone.
        downstream_cx_destroy,
        /// Connections refused, since the listener had enough.
        downstream_cx_overflow,
        /// Connections refused, since there were enough on all listeners.
        downstream_global_cx_overflow,
        /// Connections whose handshake took too long.
        downstream_cx_transport_socket_connect_timeout,
        /// Connections that no filter chain matched.
        no_filter_chain_match,
        /// Connections that could not be read by listener filters.
        downstream_listener_filter_error,
        /// Connections that clients closed before listener filters were done.
        downstream_listener_filter_remote_close,
        /// Connections that listener filters took too long for.
        downstream_pre_cx_timeout,
    }
    gauges {
        /// Connections open.
        downstream_cx_active,
        /// Connections that listener filters look at.
        downstream_pre_cx_active,
    }
    histograms {
        /// How long connections lived.
        downstream_cx_length_ms: Milliseconds,
        /// Connections taken each time that the socket was ready.
        connections_accepted_per_socket_event: Unspecified,
    }
    zeros {
        counters {
            downstream_cx_overload_reject,
        }
        gauges {}
    }
);

scope!(
    /// `listener.<address>.`: what only listeners of the configuration have, not the admin's.
    ConfiguredListenerStats, "listener.{}.",
    counters {
        /// Connections closed because a network filter had no configuration.
        network_extension_config_missing,
    }
    gauges {}
    histograms {}
    zeros {
        counters {
            extension_config_missing,
        }
        gauges {}
    }
);

scope!(
    /// `listener.<address>.<thread>.`: one listener on one thread; the name is `<address>.worker_<index>`, or of the admin's
    /// `admin.main_thread`.
    ThreadListenerStats, "listener.{}.",
    counters {
        /// Connections accepted.
        downstream_cx_total,
    }
    gauges {
        /// Connections open.
        downstream_cx_active,
    }
    histograms {}
);
