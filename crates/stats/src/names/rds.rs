//! Stats of routes that come from control planes, beside those of every subscription.

use super::scope;

scope!(
    /// `http.<stat_prefix>.rds.<route_config_name>.`
    RdsStats, "{}",
    counters {
        /// Routes that took the place of others.
        config_reload,
        /// Answers without any.
        update_empty,
    }
    gauges {
        /// When routes last did, in milliseconds of the Unix epoch.
        config_reload_time_ms,
    }
    histograms {}
);
