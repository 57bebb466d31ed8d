//! The scopes and their stats, named as Envoy 1.40 names them.

use super::StatKind;
use super::StatsStore;
use super::block::{Counter, Gauge, Writer};

macro_rules! scope {
    ($(#[$meta:meta])* $name:ident, $prefix:literal,
        counters { $($(#[$cmeta:meta])* $counter:ident,)* } gauges { $($(#[$gmeta:meta])* $gauge:ident,)* }) => {
        $(#[$meta])*
        pub struct $name(Writer);

        impl $name {
            const NAMES: &'static [(&'static str, StatKind)] = &[
                $((stringify!($counter), StatKind::Counter),)*
                $((stringify!($gauge), StatKind::Gauge),)*
            ];

            /// This worker's values of the scope with this name, registered in `store`.
            #[must_use]
            pub fn new(store: &StatsStore, name: &str) -> Self {
                Self(Writer::new(store, format!($prefix, name), Self::NAMES))
            }

            scope!(@methods 0, counter Counter, $($(#[$cmeta])* $counter,)*; gauge Gauge, $($(#[$gmeta])* $gauge,)*);
        }
    };
    (@methods $index:expr, counter $ctype:ident, $(#[$m:meta])* $first:ident, $($(#[$rm:meta])* $rest:ident,)*; gauge $gtype:ident, $($g:tt)*) => {
        $(#[$m])*
        #[must_use]
        pub fn $first(&self) -> $ctype<'_> { self.0.counter($index) }
        scope!(@methods $index + 1, counter $ctype, $($(#[$rm])* $rest,)*; gauge $gtype, $($g)*);
    };
    (@methods $index:expr, counter $ctype:ident, ; gauge $gtype:ident, $(#[$m:meta])* $first:ident, $($(#[$rm:meta])* $rest:ident,)*) => {
        $(#[$m])*
        #[must_use]
        pub fn $first(&self) -> $gtype<'_> { self.0.gauge($index) }
        scope!(@methods $index + 1, counter $ctype, ; gauge $gtype, $($(#[$rm])* $rest,)*);
    };
    (@methods $index:expr, counter $ctype:ident, ; gauge $gtype:ident, ) => {};
}

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
);

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
);

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
    }
);
