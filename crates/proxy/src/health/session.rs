//! What the results of checks mean for a host: Envoy's thresholds. No I/O and no clock.

use sandgate_load_balancing::{HealthFlag, HealthFlags};
use smallvec::SmallVec;

/// The results of the checks of one host so far. What follows from them is in the host's flags.
#[derive(Debug)]
pub(crate) struct Session {
    thresholds: Thresholds,
    /// Successes in a row.
    passed: u32,
    /// Failures in a row that may pass.
    failed: u32,
    first: bool,
}

/// How many results in a row change a host's health.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thresholds {
    pub(crate) healthy: u32,
    pub(crate) unhealthy: u32,
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The wrong answer; `retriable` if it may pass. The status is that of the response.
    Active { status: u16, retriable: bool },
    /// The host said itself, in a response to a request, that it must not be used.
    Passive,
    /// No connection, or it ended early.
    Network,
    /// No answer in time.
    NetworkTimeout,
}

/// What a result means for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// Nothing.
    Unchanged,
    /// A change, if more of this kind follow.
    Pending,
    /// Its flags are others than before.
    Changed,
}

/// What is worth a line in the event log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    AddHealthy { first: bool },
    Successful,
    DegradedHealthy,
    NoLongerDegraded,
    EjectUnhealthy(Failure),
    Failed { failure: Failure, first: bool },
}

/// What came of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) transition: Transition,
    pub(crate) events: SmallVec<[Event; 3]>,
}

// === impl Failure ===

impl Failure {
    /// Whether the network is to blame, or may be.
    pub(crate) fn is_network(self) -> bool {
        matches!(self, Self::Network | Self::NetworkTimeout)
    }

    fn may_pass(self) -> bool {
        self.is_network() || matches!(self, Self::Active { retriable: true, .. })
    }
}

// === impl Session ===

impl Session {
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, passed: 0, failed: 0, first: true }
    }

    /// Whether no check has ended yet.
    pub(crate) fn is_first(&self) -> bool {
        self.first
    }

    /// A check succeeded; `degraded` if the host said that it is.
    pub(crate) fn on_success(&mut self, flags: &HealthFlags, degraded: bool) -> Outcome {
        self.failed = 0;
        let mut events = SmallVec::new();
        let mut transition = Transition::Unchanged;
        if flags.has(HealthFlag::FailedActiveHc) {
            self.passed = self.passed.wrapping_add(u32::from(!self.first));
            if self.first || self.passed == self.thresholds.healthy {
                for flag in
                    [HealthFlag::ActiveHcTimeout, HealthFlag::ExcludedViaImmediateHcFail, HealthFlag::FailedActiveHc]
                {
                    flags.clear(flag);
                }
                events.push(Event::AddHealthy { first: self.first });
                transition = Transition::Changed;
            } else {
                transition = Transition::Pending;
            }
        }
        if transition != Transition::Changed {
            events.push(Event::Successful);
        }
        transition = no_longer_pending(flags, transition);
        if degraded != flags.has(HealthFlag::DegradedActiveHc) {
            if degraded {
                flags.set(HealthFlag::DegradedActiveHc);
                events.push(Event::DegradedHealthy);
            } else {
                flags.clear(HealthFlag::DegradedActiveHc);
                events.push(Event::NoLongerDegraded);
            }
            if transition == Transition::Unchanged {
                transition = Transition::Changed;
            }
        }
        self.first = false;
        Outcome { transition, events }
    }

    /// A check failed, or the host must not be used.
    pub(crate) fn on_failure(&mut self, flags: &HealthFlags, failure: Failure) -> Outcome {
        self.passed = 0;
        let mut events = SmallVec::new();
        let mut transition = Transition::Unchanged;
        if !flags.has(HealthFlag::FailedActiveHc) {
            self.failed = self.failed.wrapping_add(u32::from(failure.may_pass()));
            if !failure.may_pass() || self.failed == self.thresholds.unhealthy {
                flags.set(HealthFlag::FailedActiveHc);
                events.push(Event::EjectUnhealthy(failure));
                transition = Transition::Changed;
            } else {
                transition = Transition::Pending;
            }
        }
        if failure == Failure::NetworkTimeout && flags.has(HealthFlag::FailedActiveHc) {
            flags.set(HealthFlag::ActiveHcTimeout);
        } else {
            flags.clear(HealthFlag::ActiveHcTimeout);
        }
        transition = no_longer_pending(flags, transition);
        events.push(Event::Failed { failure, first: self.first });
        self.first = false;
        Outcome { transition, events }
    }
}

/// The first result of a host that was left out until then changes the lists of hosts, whatever it is.
fn no_longer_pending(flags: &HealthFlags, transition: Transition) -> Transition {
    if flags.has(HealthFlag::PendingActiveHc) {
        flags.clear(HealthFlag::PendingActiveHc);
        return Transition::Changed;
    }
    transition
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Failure = Failure::Active { status: 503, retriable: false };
    const RETRIABLE: Failure = Failure::Active { status: 503, retriable: true };

    fn session(healthy: u32, unhealthy: u32) -> (Session, HealthFlags) {
        let flags = HealthFlags::default();
        // As every host begins that is to be checked.
        flags.set(HealthFlag::FailedActiveHc);
        (Session::new(Thresholds { healthy, unhealthy }), flags)
    }

    /// A session of a healthy host.
    fn passing(healthy: u32, unhealthy: u32) -> (Session, HealthFlags) {
        let (mut session, flags) = session(healthy, unhealthy);
        assert_eq!(session.on_success(&flags, false).transition, Transition::Changed);
        assert_eq!(flags.bits(), 0);
        (session, flags)
    }

    #[test]
    fn the_first_success_is_enough() {
        let (mut session, flags) = session(3, 3);
        let outcome = session.on_success(&flags, false);
        assert_eq!(outcome.events.as_slice(), [Event::AddHealthy { first: true }]);
        assert!(!session.is_first());
    }

    #[test]
    fn the_first_failure_leaves_the_host_as_it_began() {
        let (mut session, flags) = session(2, 3);
        let outcome = session.on_failure(&flags, Failure::Network);
        assert_eq!(outcome.transition, Transition::Unchanged);
        assert_eq!(outcome.events.as_slice(), [Event::Failed { failure: Failure::Network, first: true }]);
        let transitions = [false, false, false].map(|degraded| session.on_success(&flags, degraded).transition);
        assert_eq!(transitions, [Transition::Pending, Transition::Changed, Transition::Unchanged]);
    }

    #[test]
    fn a_wrong_answer_counts_at_once_and_others_in_a_row() {
        let (mut session, flags) = passing(2, 2);
        assert_eq!(session.on_failure(&flags, BAD).transition, Transition::Changed);
        assert!(flags.has(HealthFlag::FailedActiveHc));
        for failure in [Failure::Network, RETRIABLE, Failure::NetworkTimeout] {
            let (mut session, flags) = passing(2, 2);
            assert_eq!(session.on_failure(&flags, failure).transition, Transition::Pending);
            assert_eq!(session.on_success(&flags, false).transition, Transition::Unchanged);
            assert_eq!(session.on_failure(&flags, failure).transition, Transition::Pending);
            let outcome = session.on_failure(&flags, failure);
            assert_eq!(outcome.transition, Transition::Changed);
            assert_eq!(
                outcome.events.as_slice(),
                [Event::EjectUnhealthy(failure), Event::Failed { failure, first: false }]
            );
            assert_eq!(flags.has(HealthFlag::ActiveHcTimeout), failure == Failure::NetworkTimeout);
        }
    }

    #[test]
    fn a_threshold_of_zero_is_never_reached() {
        let (mut session, flags) = passing(1, 0);
        for _ in 0..5 {
            assert_eq!(session.on_failure(&flags, Failure::Network).transition, Transition::Pending);
        }
        assert_eq!(session.on_failure(&flags, Failure::Passive).transition, Transition::Changed);
    }

    #[test]
    fn a_timeout_shows_until_something_else_happens() {
        let (mut session, flags) = passing(2, 1);
        session.on_failure(&flags, Failure::NetworkTimeout);
        assert!(flags.has(HealthFlag::ActiveHcTimeout));
        session.on_failure(&flags, Failure::Network);
        assert!(!flags.has(HealthFlag::ActiveHcTimeout));
        session.on_failure(&flags, Failure::NetworkTimeout);
        session.on_success(&flags, false);
        assert!(flags.has(HealthFlag::ActiveHcTimeout), "one success of two");
        session.on_success(&flags, false);
        assert_eq!(flags.bits(), 0);
    }

    #[test]
    fn degraded_comes_and_goes() {
        let (mut session, flags) = passing(1, 1);
        let outcome = session.on_success(&flags, true);
        assert_eq!(outcome.transition, Transition::Changed);
        assert_eq!(outcome.events.as_slice(), [Event::Successful, Event::DegradedHealthy]);
        assert_eq!(session.on_success(&flags, true).transition, Transition::Unchanged);
        assert_eq!(session.on_success(&flags, false).transition, Transition::Changed);
        assert_eq!(flags.bits(), 0);
    }

    #[test]
    fn a_pending_host_counts_from_its_first_result_on() {
        let (mut session, flags) = session(1, 1);
        flags.set(HealthFlag::PendingActiveHc);
        assert_eq!(session.on_failure(&flags, Failure::Network).transition, Transition::Changed);
        assert!(!flags.is_excluded());
    }

    #[test]
    fn what_a_host_said_of_itself_is_forgotten_when_it_passes() {
        let (mut session, flags) = passing(1, 3);
        flags.set(HealthFlag::ExcludedViaImmediateHcFail);
        assert_eq!(session.on_failure(&flags, Failure::Passive).transition, Transition::Changed);
        assert!(flags.is_excluded());
        session.on_success(&flags, false);
        assert_eq!(flags.bits(), 0);
    }
}
