//! Zone-aware routing: requests stay in the zone of this process as far as its zone has hosts for them.
//!
//! Shares are those of Envoy 1.40 (`ZoneAwareLoadBalancerBase`), in ten-thousandths: what the zones have of the processes like this
//! one, which bring requests, and of the hosts, which take them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;

use crate::{HostSet, Locality, LocalityHosts, PrioritySet, RuntimeValues};

const ALL: u64 = 10_000;

/// The cluster that this process is one of, on one worker: shared by the load balancers of all other clusters.
#[derive(Debug, Default)]
pub struct LocalHosts {
    own: Option<Arc<Locality>>,
    set: RefCell<Arc<PrioritySet>>,
    generation: Cell<u64>,
}

/// What has become of choices, and how often shares were made anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneCounts {
    /// `lb_recalculate_zone_structures`.
    pub recalculated: u64,
    /// `lb_zone_cluster_too_small`.
    pub too_small: u64,
    /// `lb_zone_routing_all_directly`.
    pub all_directly: u64,
    /// `lb_zone_routing_sampled`.
    pub sampled: u64,
    /// `lb_zone_routing_cross_zone`.
    pub cross_zone: u64,
    /// `lb_zone_no_capacity_left`.
    pub no_capacity: u64,
    /// `lb_local_cluster_not_ok`.
    pub local_not_ok: u64,
}

/// Chooses among the localities of the first priority of a cluster.
#[derive(Debug)]
pub(crate) struct ZoneRouting {
    local: Rc<LocalHosts>,
    generation: u64,
    shares: Shares,
    pub(crate) counts: ZoneCounts,
}

/// What comes of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZoneChoice {
    /// Any locality, as without zones.
    Any,
    /// The locality with this index.
    Locality(usize),
    /// None: too few processes are healthy to go by them, and no host is to be taken then.
    None,
}

#[derive(Debug, Default)]
enum Shares {
    /// Zones do not count.
    #[default]
    Off,
    /// All to this locality.
    Direct(usize),
    /// Some to the own locality, if there is one; the others by what localities have left.
    Residual { own: Option<(usize, u64)>, left: Vec<(usize, u64)> },
}

// === impl LocalHosts ===

impl LocalHosts {
    /// Without hosts yet. `own` is the locality of this process.
    #[must_use]
    pub fn new(own: Option<Locality>) -> Rc<Self> {
        Rc::new(Self { own: own.map(Arc::new), ..Self::default() })
    }

    /// The cluster has these hosts from now on.
    pub fn update(&self, set: &Arc<PrioritySet>) {
        self.set.replace(Arc::clone(set));
        self.generation.set(self.generation.get() + 1);
    }
}

// === impl ZoneRouting ===

impl ZoneRouting {
    pub(crate) fn new(local: &Rc<LocalHosts>) -> Self {
        let generation = local.generation.get();
        Self { local: Rc::clone(local), generation, shares: Shares::Off, counts: ZoneCounts::default() }
    }

    /// Goes by other hosts of the cluster.
    pub(crate) fn update(&mut self, set: &PrioritySet, values: &RuntimeValues) {
        self.generation = self.local.generation.get();
        self.counts.recalculated += 1;
        self.shares = self.shares(set, values);
    }

    /// The same if the processes are others than before.
    pub(crate) fn refresh(&mut self, set: &PrioritySet, values: &RuntimeValues) {
        if self.generation != self.local.generation.get() {
            self.update(set, values);
        }
    }

    fn shares(&mut self, set: &PrioritySet, values: &RuntimeValues) -> Shares {
        let local = self.local.set.borrow();
        let (Some(hosts), Some(local)) = (set.priorities.first(), local.priorities.first()) else { return Shares::Off };
        if hosts.localities.len() < 2 || local.localities.len() < 2 {
            return Shares::Off;
        }
        if (hosts.healthy.len() as u64) < values.min_cluster_size {
            self.counts.too_small += 1;
            return Shares::Off;
        }
        let total = |set: &HostSet| set.localities.iter().map(healthy).sum::<u64>();
        let (all_local, all) = (total(local), total(hosts));
        // Of the processes, of the hosts.
        let percent = |locality: &LocalityHosts| {
            let known = local.localities.iter().find(|known| known.locality == locality.locality);
            (share(known.map_or(0, healthy), all_local), share(healthy(locality), all))
        };
        let own = self.local.own.as_ref();
        let own = own.and_then(|own| hosts.localities.iter().position(|locality| locality.locality == *own));
        let mut kept = None;
        if let Some((index, locality)) = own.and_then(|index| Some((index, hosts.localities.get(index)?))) {
            let (local, upstream) = percent(locality);
            if upstream > 0 && upstream >= local {
                return Shares::Direct(index);
            }
            kept = Some((index, (upstream * ALL).checked_div(local).unwrap_or(0)));
        }
        let others = hosts.localities.iter().enumerate().filter(|(index, _)| Some(*index) != own);
        let mut sum = 0;
        let left = others.map(|(index, locality)| {
            let (local, upstream) = percent(locality);
            sum += upstream.saturating_sub(local);
            (index, sum)
        });
        Shares::Residual { own: kept, left: left.collect() }
    }

    /// A locality for a request.
    pub(crate) fn choose(&mut self, random: &mut Rng, values: &RuntimeValues, fail_on_panic: bool) -> ZoneChoice {
        let Self { shares, counts, local, .. } = self;
        if matches!(shares, Shares::Off) || random.u64(..) % 100 >= values.zone_routing_enabled.into() {
            return ZoneChoice::Any;
        }
        if local.set.borrow().priorities.first().is_none_or(|hosts| is_in_panic(hosts, values.panic_threshold)) {
            counts.local_not_ok += 1;
            return if fail_on_panic { ZoneChoice::None } else { ZoneChoice::Any };
        }
        let (own, left) = match shares {
            Shares::Off => return ZoneChoice::Any,
            Shares::Direct(index) => {
                counts.all_directly += 1;
                return ZoneChoice::Locality(*index);
            }
            Shares::Residual { own, left } => (own, left),
        };
        let sample = random.u64(..) % ALL;
        if let Some((index, _)) = own.filter(|(_, percent)| sample < *percent) {
            counts.sampled += 1;
            return ZoneChoice::Locality(index);
        }
        counts.cross_zone += 1;
        let most = left.last().map_or(0, |(_, sum)| *sum);
        if most == 0 {
            // Only by what rounding has taken away.
            counts.no_capacity += 1;
            let count = left.len() + usize::from(own.is_some());
            let all = own.iter().map(|(index, _)| *index).chain(left.iter().map(|(index, _)| *index));
            return all.into_iter().nth(random.usize(..count.max(1))).map_or(ZoneChoice::Any, ZoneChoice::Locality);
        }
        let threshold = random.u64(..) % most;
        let found = left.iter().find(|(_, sum)| threshold <= *sum && *sum > 0);
        found.map_or(ZoneChoice::Any, |(index, _)| ZoneChoice::Locality(*index))
    }
}

fn healthy(locality: &LocalityHosts) -> u64 {
    locality.healthy.len() as u64
}

fn share(part: u64, whole: u64) -> u64 {
    (part * ALL).checked_div(whole).unwrap_or(0)
}

#[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^52 hosts")]
fn is_in_panic(hosts: &HostSet, threshold: u32) -> bool {
    let count = hosts.all.len().saturating_sub(hosts.excluded.len());
    let usable = hosts.healthy.len() + hosts.degraded.len();
    let percent = if count == 0 { 0.0 } else { 100.0 * usable as f64 / count as f64 };
    percent < f64::from(threshold)
}

#[cfg(test)]
mod tests;
