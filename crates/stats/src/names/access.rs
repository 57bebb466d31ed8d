//! Stats of who is let in.

use super::scope;

scope!(
    /// What the rules of an RBAC filter decided; the name is all of the prefix.
    RbacStats verbatim, "{}",
    counters {
        /// Let in.
        allowed,
        /// Turned away.
        denied,
    }
    gauges {}
    histograms {}
);

scope!(
    /// What its shadow rules would have decided; the name is all of the prefix.
    RbacShadowStats verbatim, "{}",
    counters {
        /// Would have been let in.
        shadow_allowed,
        /// Would have been turned away.
        shadow_denied,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `….policy.<name>.`: a policy that lets in.
    RbacPolicyAllowedStats verbatim, "{}",
    counters {
        /// Let in.
        allowed,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `….policy.<name>.`: a policy that turns away.
    RbacPolicyDeniedStats verbatim, "{}",
    counters {
        /// Turned away.
        denied,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `….policy.<name>.`: a policy of shadow rules that lets in.
    RbacPolicyShadowAllowedStats verbatim, "{}",
    counters {
        /// Would have been let in.
        shadow_allowed,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `….policy.<name>.`: a policy of shadow rules that turns away.
    RbacPolicyShadowDeniedStats verbatim, "{}",
    counters {
        /// Would have been turned away.
        shadow_denied,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `connection_limit.<stat_prefix>.`: a filter that limits connections.
    ConnectionLimitStats verbatim, "connection_limit.{}.",
    counters {
        /// Connections closed because there were too many.
        limited_connections,
    }
    gauges {
        /// Connections open, those that are being closed among them.
        active_connections,
    }
    histograms {}
);
