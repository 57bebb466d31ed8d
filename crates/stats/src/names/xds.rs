//! Stats of control planes.

use super::scope;

scope!(
    /// `<prefix>`, which ends with a dot: resources that come from a control plane or a file.
    SubscriptionStats, "{}",
    counters {
        /// First requests, and whatever came of them and of what came later.
        update_attempt,
        /// Streams that broke, and files that could not be read.
        update_failure,
        /// Updates that were refused.
        update_rejected,
        /// Updates that were taken.
        update_success,
        /// How often nothing had come in time for others to wait for it.
        init_fetch_timeout,
    }
    gauges {
        /// When the last update was taken, in milliseconds since 1970.
        update_time,
        /// A hash of its version.
        version,
    }
    histograms {
        /// How long it took to take an update.
        update_duration: Milliseconds,
    }
);

scope!(
    /// `<prefix>control_plane.`: the stream to a control plane.
    ControlPlaneStats, "{}control_plane.",
    counters {
        /// How often a request had to wait for a token.
        rate_limit_enforced,
    }
    gauges {
        /// Whether there is a stream.
        connected_state,
        /// Requests that wait.
        pending_requests,
    }
    histograms {}
);
