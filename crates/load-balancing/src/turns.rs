//! Round robin and least request: turns, by weight where weights differ.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use fastrand::Rng;
use sandgate_config::model::LeastRequest;

use crate::balancer::any;
use crate::slow_start::SlowStartClock;
use crate::source::HostsSource;
use crate::{EdfScheduler, Host, PrioritySet};

/// The turns over every list of hosts that a request may be sent to.
#[derive(Debug)]
pub(crate) struct Turns {
    /// By priority, then by [`HostsSource::place`].
    sources: Vec<Vec<Source>>,
    weigher: Weigher,
}

/// Turns over one list.
#[derive(Debug)]
struct Source {
    /// Round robin: whose turn it is.
    next: u64,
    /// Only where weights differ.
    edf: Option<EdfScheduler>,
}

/// What a host weighs now.
#[derive(Debug)]
struct Weigher {
    /// The policy, if it is least request, and its bias.
    least_request: Option<(LeastRequest, f64)>,
    slow_start: Option<SlowStartClock>,
}

// === impl Turns ===

impl Turns {
    /// Turns over `set`; those of `old` go on.
    pub(crate) fn new(
        set: &PrioritySet,
        least_request: Option<(LeastRequest, f64)>,
        slow_start: Option<SlowStartClock>,
        old: Option<Self>,
        seed: u32,
        now: Instant,
    ) -> Self {
        let mut weigher = Weigher { least_request, slow_start };
        if let Some(slow_start) = &mut weigher.slow_start {
            let before = old.as_ref().and_then(|old| old.weigher.slow_start.as_ref());
            slow_start.update(before, &set.hosts, now);
        }
        let mut turns = Self { sources: set.priorities.iter().map(|_| Vec::new()).collect(), weigher };
        for source in HostsSource::all(set) {
            let before = old.as_ref().and_then(|old| old.sources.get(source.priority)?.get(source.place()));
            let next = before.map_or(u64::from(seed), |before| before.next);
            let edf = turns.weigher.scheduler(set, source.hosts(set), seed, now);
            if let Some(sources) = turns.sources.get_mut(source.priority) {
                sources.push(Source { next, edf });
            }
        }
        turns
    }

    /// The host whose turn it is.
    pub(crate) fn choose(
        &mut self,
        set: &PrioritySet,
        source: HostsSource,
        random: &mut Rng,
        now: Instant,
    ) -> Option<usize> {
        let hosts = source.hosts(set);
        let weigher = &self.weigher;
        let source = self.sources.get_mut(source.priority)?.get_mut(source.place())?;
        if let Some(edf) = &mut source.edf {
            return edf.pick(|index| set.hosts.get(index).map_or(1.0, |host| weigher.weight(host, now)));
        }
        match &weigher.least_request {
            Some((config, _)) if config.full_scan => least_of_all(set, hosts, random),
            Some((config, _)) => least_of_some(set, hosts, config.choice_count, random),
            None => {
                let chosen = any(hosts, source.next);
                source.next = source.next.wrapping_add(1);
                chosen
            }
        }
    }
}

// === impl Weigher ===

impl Weigher {
    /// Weighted turns, if weights differ.
    fn scheduler(&self, set: &PrioritySet, hosts: &[usize], seed: u32, now: Instant) -> Option<EdfScheduler> {
        let host = |index: &usize| set.hosts.get(*index);
        let mut weights = hosts.iter().filter_map(host).map(|host| host.weight);
        let first = weights.next()?;
        let equal = weights.all(|weight| weight == first);
        let settled = self.slow_start.as_ref().is_none_or(|slow_start| slow_start.is_over(now));
        if hosts.len() < 2 || equal && settled {
            return None;
        }
        let items = hosts.iter().filter_map(|index| Some((*index, self.weight(host(index)?, now))));
        Some(EdfScheduler::new(items, seed))
    }

    fn weight(&self, host: &Host, now: Instant) -> f64 {
        let mut weight = f64::from(host.weight);
        if let Some((_, bias)) = &self.least_request
            && *bias != 0.0
        {
            weight /= (active(host) + 1.0).powf(*bias);
        }
        match &self.slow_start {
            Some(slow_start) => weight * slow_start.factor(host, now),
            None => weight,
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "there are fewer than 2^52 requests")]
fn active(host: &Host) -> f64 {
    host.stats.rq_active.load(Relaxed) as f64
}

fn active_at(set: &PrioritySet, index: usize) -> u64 {
    set.hosts.get(index).map_or(u64::MAX, |host| host.stats.rq_active.load(Relaxed))
}

/// The host with the fewest requests in flight among so many drawn ones; the first drawn wins a tie.
fn least_of_some(set: &PrioritySet, hosts: &[usize], choices: u32, random: &mut Rng) -> Option<usize> {
    let mut best = any(hosts, random.u64(..))?;
    for _ in 1..choices {
        let sample = any(hosts, random.u64(..))?;
        if active_at(set, sample) < active_at(set, best) {
            best = sample;
        }
    }
    Some(best)
}

/// The host with the fewest requests in flight; among ties, each with the same chance.
fn least_of_all(set: &PrioritySet, hosts: &[usize], random: &mut Rng) -> Option<usize> {
    let (first, others) = hosts.split_first()?;
    let (mut best, mut ties) = (*first, 1);
    for index in others.iter().copied() {
        let (this, least) = (active_at(set, index), active_at(set, best));
        if this < least {
            (best, ties) = (index, 1);
        } else if this == least {
            ties += 1;
            if random.u64(..).is_multiple_of(ties) {
                best = index;
            }
        }
    }
    Some(best)
}
