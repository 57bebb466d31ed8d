//! Which hosts of which priority a request may go to.

use sandgate_config::model::LoadBalancing;

use crate::priority_load::{Availability, PriorityState};
use crate::zone::ZoneChoice;
use crate::{EdfScheduler, HostSet, LbContext, LocalityHosts, PrioritySet};

/// A list of hosts of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostsSource {
    pub(crate) priority: usize,
    pub(crate) kind: SourceKind,
}

/// Which list; localities by their index in [`HostSet::localities`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    All,
    Healthy,
    Degraded,
    LocalityHealthy(usize),
    LocalityDegraded(usize),
}

/// Chooses a list for each request.
#[derive(Debug, Default)]
pub(crate) struct SourceChooser {
    state: PriorityState,
    /// Turns of the localities, by priority; empty without locality weights.
    localities: Vec<LocalityTurns>,
    fail_on_panic: bool,
}

/// Weighted turns of the localities of one priority.
#[derive(Debug)]
struct LocalityTurns {
    healthy: Turns,
    degraded: Turns,
}

#[derive(Debug)]
struct Turns {
    scheduler: EdfScheduler,
    weights: Vec<f64>,
}

// === impl HostsSource ===

impl HostsSource {
    /// The hosts that are meant.
    pub(crate) fn hosts(self, set: &PrioritySet) -> &[usize] {
        let Some(hosts) = set.priorities.get(self.priority) else { return &[] };
        let locality = |index: usize| hosts.localities.get(index);
        match self.kind {
            SourceKind::All => &hosts.all,
            SourceKind::Healthy => &hosts.healthy,
            SourceKind::Degraded => &hosts.degraded,
            SourceKind::LocalityHealthy(index) => locality(index).map_or(&[], |locality| &locality.healthy),
            SourceKind::LocalityDegraded(index) => locality(index).map_or(&[], |locality| &locality.degraded),
        }
    }

    /// All there are in a set.
    pub(crate) fn all(set: &PrioritySet) -> impl Iterator<Item = Self> + '_ {
        set.priorities.iter().enumerate().flat_map(|(priority, hosts)| {
            let whole = [SourceKind::All, SourceKind::Healthy, SourceKind::Degraded].into_iter();
            let localities = (0..hosts.localities.len())
                .flat_map(|index| [SourceKind::LocalityHealthy(index), SourceKind::LocalityDegraded(index)]);
            whole.chain(localities).map(move |kind| Self { priority, kind })
        })
    }

    /// Its place in [`HostsSource::all`] within its priority.
    pub(crate) fn place(self) -> usize {
        match self.kind {
            SourceKind::All => 0,
            SourceKind::Healthy => 1,
            SourceKind::Degraded => 2,
            SourceKind::LocalityHealthy(index) => 3 + 2 * index,
            SourceKind::LocalityDegraded(index) => 4 + 2 * index,
        }
    }
}

// === impl SourceChooser ===

impl SourceChooser {
    pub(crate) fn new(set: &PrioritySet, config: &LoadBalancing, panic_threshold: u32, seed: u32) -> Self {
        let factor = set.policy(config).overprovisioning_factor;
        let turns = |hosts: &HostSet| LocalityTurns {
            healthy: Turns::new(hosts, factor, seed, |locality| &locality.healthy),
            degraded: Turns::new(hosts, factor, seed, |locality| &locality.degraded),
        };
        Self {
            state: PriorityState::new(set, config, panic_threshold),
            localities: if config.locality_weighted { set.priorities.iter().map(turns).collect() } else { Vec::new() },
            fail_on_panic: config.fail_traffic_on_panic,
        }
    }

    pub(crate) fn state(&self) -> &PriorityState {
        &self.state
    }

    /// The list for a request, and whether there is a panic. `random` decides between priorities; `zone` chooses a locality of the
    /// first one.
    pub(crate) fn choose(
        &mut self,
        set: &PrioritySet,
        context: &mut LbContext<'_>,
        random: u64,
        zone: impl FnOnce() -> ZoneChoice,
    ) -> (Option<HostsSource>, bool) {
        let (priority, availability) = match &mut context.priority_load {
            Some(load) => load(set, &self.state.load).choose(random),
            None => self.state.load.choose(random),
        };
        let source = |kind| Some(HostsSource { priority, kind });
        if self.state.panic.get(priority).copied().unwrap_or(false) {
            return (if self.fail_on_panic { None } else { source(SourceKind::All) }, true);
        }
        let turns = self.localities.get_mut(priority);
        let zone = if turns.is_none() && priority == 0 { zone() } else { ZoneChoice::Any };
        if let ZoneChoice::Locality(index) = zone {
            let kind = match availability {
                Availability::Healthy => SourceKind::LocalityHealthy(index),
                Availability::Degraded => SourceKind::LocalityDegraded(index),
            };
            return (source(kind), false);
        }
        if zone == ZoneChoice::None {
            return (None, false);
        }
        let kind = match availability {
            Availability::Healthy => {
                turns.and_then(|turns| turns.healthy.next()).map_or(SourceKind::Healthy, SourceKind::LocalityHealthy)
            }
            Availability::Degraded => {
                turns.and_then(|turns| turns.degraded.next()).map_or(SourceKind::Degraded, SourceKind::LocalityDegraded)
            }
        };
        (source(kind), false)
    }
}

// === impl Turns ===

impl Turns {
    /// Turns by the weight of the localities, less what their hosts lack in health.
    fn new(set: &HostSet, factor: u32, seed: u32, eligible: fn(&LocalityHosts) -> &Vec<usize>) -> Self {
        let weights: Vec<_> = set
            .localities
            .iter()
            .map(|locality| {
                let counted = locality.all.len().saturating_sub(locality.excluded.len());
                if counted == 0 {
                    return 0.0;
                }
                let share = ratio(eligible(locality).len(), counted);
                let provisioned = f64::from(factor) / 100.0 * share;
                f64::from(locality.weight) * provisioned.min(1.0)
            })
            .collect();
        let items = weights.iter().copied().enumerate().filter(|(_, weight)| *weight > 0.0);
        Self { scheduler: EdfScheduler::new(items, seed), weights }
    }

    fn next(&mut self) -> Option<usize> {
        let weights = &self.weights;
        self.scheduler.pick(|index| weights.get(index).copied().unwrap_or(1.0))
    }
}

#[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^52 hosts")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
