//! Whether a host takes requests: Envoy's health flags, set by many and shared by all threads.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use sandgate_config::model::HealthStatus;

/// One reason why a host is not simply healthy. Bits and names are Envoy's (`Host::HealthFlag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HealthFlag {
    /// Active health checks fail.
    FailedActiveHc = 0x1,
    /// Ejected by outlier detection.
    FailedOutlierCheck = 0x2,
    /// The configuration says `UNHEALTHY` or `TIMEOUT`.
    FailedEdsHealth = 0x4,
    /// Active health checks say degraded.
    DegradedActiveHc = 0x8,
    /// The configuration says `DEGRADED`.
    DegradedEdsHealth = 0x10,
    /// Discovery has forgotten the host, active health checks still pass.
    PendingDynamicRemoval = 0x20,
    /// The first active health check is not done.
    PendingActiveHc = 0x40,
    /// The host itself said that it must not be used (`x-envoy-immediate-health-check-fail`).
    ExcludedViaImmediateHcFail = 0x80,
    /// The last active health check ran into its timeout.
    ActiveHcTimeout = 0x100,
    /// The configuration says `DRAINING`.
    EdsStatusDraining = 0x200,
    /// Outlier detection says degraded.
    DegradedOutlierDetection = 0x400,
}

/// The flags of one host.
#[derive(Debug, Default)]
pub struct HealthFlags(AtomicU32);

/// What the flags come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Takes requests only in a panic.
    Unhealthy,
    /// Takes requests if there are not enough healthy hosts.
    Degraded,
    /// Takes requests.
    Healthy,
}

const UNHEALTHY: u32 = HealthFlag::FailedActiveHc as u32
    | HealthFlag::FailedOutlierCheck as u32
    | HealthFlag::FailedEdsHealth as u32
    | HealthFlag::EdsStatusDraining as u32;
const DEGRADED: u32 = HealthFlag::DegradedActiveHc as u32
    | HealthFlag::DegradedEdsHealth as u32
    | HealthFlag::DegradedOutlierDetection as u32;
const EXCLUDED: u32 = HealthFlag::PendingActiveHc as u32
    | HealthFlag::ExcludedViaImmediateHcFail as u32
    | HealthFlag::EdsStatusDraining as u32;

/// In the order in which Envoy's `/clusters` lists them, with its names.
const NAMES: [(HealthFlag, &str); 11] = [
    (HealthFlag::FailedActiveHc, "failed_active_hc"),
    (HealthFlag::FailedOutlierCheck, "failed_outlier_check"),
    (HealthFlag::FailedEdsHealth, "failed_eds_health"),
    (HealthFlag::DegradedActiveHc, "degraded_active_hc"),
    (HealthFlag::DegradedEdsHealth, "degraded_eds_health"),
    (HealthFlag::PendingDynamicRemoval, "pending_dynamic_removal"),
    (HealthFlag::PendingActiveHc, "pending_active_hc"),
    (HealthFlag::ExcludedViaImmediateHcFail, "excluded_via_immediate_hc_fail"),
    (HealthFlag::ActiveHcTimeout, "active_hc_timeout"),
    (HealthFlag::EdsStatusDraining, "eds_status_draining"),
    (HealthFlag::DegradedOutlierDetection, "degraded_outlier_detection"),
];

// === impl HealthFlags ===

impl HealthFlags {
    /// The flags that follow from the configured status alone.
    #[must_use]
    pub fn of_status(status: HealthStatus) -> Self {
        let flags = Self::default();
        flags.set_status(status);
        flags
    }

    /// The configured status is another one now.
    pub fn set_status(&self, status: HealthStatus) {
        let set = match status {
            HealthStatus::Unhealthy | HealthStatus::Timeout => Some(HealthFlag::FailedEdsHealth),
            HealthStatus::Draining => Some(HealthFlag::EdsStatusDraining),
            HealthStatus::Degraded => Some(HealthFlag::DegradedEdsHealth),
            HealthStatus::Unknown | HealthStatus::Healthy => None,
        };
        for flag in [HealthFlag::FailedEdsHealth, HealthFlag::EdsStatusDraining, HealthFlag::DegradedEdsHealth] {
            if set == Some(flag) { self.set(flag) } else { self.clear(flag) }
        }
    }

    /// Sets one flag.
    pub fn set(&self, flag: HealthFlag) {
        self.0.fetch_or(flag as u32, Relaxed);
    }

    /// Clears one flag.
    pub fn clear(&self, flag: HealthFlag) {
        self.0.fetch_and(!(flag as u32), Relaxed);
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: HealthFlag) -> bool {
        self.bits() & flag as u32 != 0
    }

    /// All flags as Envoy's bits.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// Whether requests may go there (Envoy's `coarseHealth`).
    #[must_use]
    pub fn health(&self) -> Health {
        match self.bits() {
            bits if bits & UNHEALTHY != 0 => Health::Unhealthy,
            bits if bits & DEGRADED != 0 => Health::Degraded,
            _ => Health::Healthy,
        }
    }

    /// Whether the host does not count where shares of healthy hosts are taken, as in the panic threshold.
    #[must_use]
    pub fn is_excluded(&self) -> bool {
        self.bits() & EXCLUDED != 0
    }

    /// The status in short, from flags and configuration, as Envoy's `Host::healthStatus`: what was found out actively
    /// comes first.
    #[must_use]
    pub fn status(&self, configured: HealthStatus) -> HealthStatus {
        if self.has(HealthFlag::FailedActiveHc) || self.has(HealthFlag::FailedOutlierCheck) {
            return HealthStatus::Unhealthy;
        }
        match configured {
            HealthStatus::Unhealthy | HealthStatus::Draining | HealthStatus::Timeout => configured,
            _ if self.has(HealthFlag::DegradedActiveHc) => HealthStatus::Degraded,
            _ => configured,
        }
    }

    /// The flags that are set, by their names in `/clusters` (`/failed_active_hc`, …) and in Envoy's order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        let bits = self.bits();
        NAMES.iter().filter(move |(flag, _)| bits & *flag as u32 != 0).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_to_a_health() {
        let flags = HealthFlags::default();
        assert_eq!(flags.health(), Health::Healthy);
        flags.set(HealthFlag::DegradedActiveHc);
        assert_eq!(flags.health(), Health::Degraded);
        assert_eq!(flags.status(HealthStatus::Healthy), HealthStatus::Degraded);
        assert_eq!(flags.status(HealthStatus::Draining), HealthStatus::Draining);
        flags.set(HealthFlag::FailedOutlierCheck);
        assert_eq!((flags.health(), flags.is_excluded()), (Health::Unhealthy, false));
        assert_eq!(flags.status(HealthStatus::Draining), HealthStatus::Unhealthy);
        assert_eq!(flags.names().collect::<Vec<_>>(), ["failed_outlier_check", "degraded_active_hc"]);
        flags.clear(HealthFlag::FailedOutlierCheck);
        flags.set(HealthFlag::PendingActiveHc);
        assert_eq!((flags.health(), flags.is_excluded()), (Health::Degraded, true));
    }

    #[test]
    fn configured_statuses() {
        for (status, health, excluded) in [
            (HealthStatus::Unknown, Health::Healthy, false),
            (HealthStatus::Healthy, Health::Healthy, false),
            (HealthStatus::Unhealthy, Health::Unhealthy, false),
            (HealthStatus::Timeout, Health::Unhealthy, false),
            (HealthStatus::Draining, Health::Unhealthy, true),
            (HealthStatus::Degraded, Health::Degraded, false),
        ] {
            let flags = HealthFlags::of_status(status);
            assert_eq!((flags.health(), flags.is_excluded()), (health, excluded), "{status:?}");
        }
    }
}
