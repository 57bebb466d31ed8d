//! Stats of configurations of filters that come from control planes, beside those of every subscription.

use super::scope;

scope!(
    /// `extension_config_discovery.http_filter.<name>.`
    EcdsStats, "{}",
    counters {
        /// Somebody wanted a configuration that is there already, but is of no use to him.
        config_conflict,
        /// Configurations that were refused or did not come in time.
        config_fail,
        /// Configurations that took the place of others, or should have.
        config_reload,
    }
    gauges {}
    histograms {}
);
