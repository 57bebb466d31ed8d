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
    }
    gauges {
        /// Connections open.
        downstream_cx_active,
    }
    histograms {
        /// How long connections lived.
        downstream_cx_length_ms: Milliseconds,
        /// Connections taken each time that the socket was ready.
        connections_accepted_per_socket_event: Unspecified,
    }
);
