//! Stats of virtual clusters and of routes with a `stat_prefix`.

use super::scope;

scope!(
    /// `vhost.<virtual host>.vcluster.<name>.` or `vhost.<virtual host>.route.<stat_prefix>.`; the name is what comes after
    /// `vhost.`. Responses by code are a [`CodeStats`](crate::CodeStats) of the same prefix.
    VirtualClusterStats verbatim, "vhost.{}.",
    counters {
        /// Requests.
        upstream_rq_total,
        /// Requests that ran into the route's timeout.
        upstream_rq_timeout,
        /// Retries.
        upstream_rq_retry,
        /// Requests not retried, since there were enough retries.
        upstream_rq_retry_limit_exceeded,
        /// Requests not retried for the circuit breaker or the budget.
        upstream_rq_retry_overflow,
        /// Retries that ended well.
        upstream_rq_retry_success,
    }
    gauges {}
    histograms {}
);
