//! The load balancer of one cluster on one worker.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use sandgate_config::model::{LbPolicy, LoadBalancing};

use crate::hashing::HashTables;
use crate::slow_start::SlowStartClock;
use crate::source::{HostsSource, SourceChooser};
use crate::turns::Turns;
use crate::zone::{ZoneChoice, ZoneRouting};
use crate::{Choice, LbContext, LocalHosts, PrioritySet, ZoneCounts};

/// Chooses among the hosts of a cluster. One per worker, as in Envoy: turns are not shared, hash tables are.
#[derive(Debug)]
pub struct LoadBalancer {
    config: Arc<LoadBalancing>,
    set: Arc<PrioritySet>,
    sources: SourceChooser,
    /// Where this process is one of a cluster.
    zones: Option<ZoneRouting>,
    values: RuntimeValues,
    random: Rng,
    seed: u32,
    algorithm: Algorithm,
}

#[derive(Debug)]
enum Algorithm {
    Turns(Turns),
    Random,
    Hashing(Arc<HashTables>),
}

/// Values that Envoy reads from its runtime; by default those of the configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuntimeValues {
    /// `upstream.healthy_panic_threshold`, in percent.
    pub panic_threshold: u32,
    /// The least request policy's `active_request_bias`.
    pub active_request_bias: f64,
    /// The slow start's `aggression`.
    pub aggression: f64,
    /// `upstream.zone_routing.min_cluster_size`.
    pub min_cluster_size: u64,
    /// `upstream.zone_routing.enabled`, in percent.
    pub zone_routing_enabled: u32,
}

// === impl RuntimeValues ===

impl RuntimeValues {
    /// What the configuration says.
    #[must_use]
    pub fn of(config: &LoadBalancing) -> Self {
        let (bias, slow_start) = match &config.policy {
            LbPolicy::RoundRobin(slow_start) => (0.0, slow_start.as_ref()),
            LbPolicy::LeastRequest(least) => (least.active_request_bias.default, least.slow_start.as_ref()),
            LbPolicy::Random | LbPolicy::RingHash(_) | LbPolicy::Maglev(_) => (0.0, None),
        };
        Self {
            panic_threshold: config.panic_threshold,
            active_request_bias: bias,
            aggression: slow_start.map_or(1.0, |slow_start| slow_start.aggression.default),
            min_cluster_size: config.zone_aware.min_cluster_size,
            zone_routing_enabled: config.zone_aware.routing_enabled,
        }
    }
}

// === impl LoadBalancer ===

impl LoadBalancer {
    /// A load balancer over `set`. `random` decides where turns begin.
    #[must_use]
    pub fn new(
        config: &Arc<LoadBalancing>,
        set: &Arc<PrioritySet>,
        runtime: RuntimeValues,
        mut random: Rng,
        now: Instant,
    ) -> Self {
        let seed = random.u32(..);
        let mut balancer = Self {
            config: Arc::clone(config),
            set: Arc::clone(set),
            sources: SourceChooser::default(),
            zones: None,
            values: runtime,
            random,
            seed,
            algorithm: Algorithm::Random,
        };
        balancer.update(set, runtime, now);
        balancer
    }

    /// Goes by zones from the next update on, as one of the processes of `local`. Hashing policies and locality weights do not.
    pub fn keep_in_zone(&mut self, local: &Rc<LocalHosts>) {
        self.zones = Some(ZoneRouting::new(local));
    }

    /// What has been counted of zones since the last time; nothing if they do not count.
    pub fn take_zone_counts(&mut self) -> Option<ZoneCounts> {
        self.zones.as_mut().map(|zones| std::mem::take(&mut zones.counts))
    }

    /// Goes over to another set of hosts. Turns go on where they were.
    pub fn update(&mut self, set: &Arc<PrioritySet>, runtime: RuntimeValues, now: Instant) {
        self.set = Arc::clone(set);
        self.values = runtime;
        if let Some(zones) = &mut self.zones {
            zones.update(set, &runtime);
        }
        self.sources = SourceChooser::new(set, &self.config, runtime.panic_threshold, self.seed);
        let old = match std::mem::replace(&mut self.algorithm, Algorithm::Random) {
            Algorithm::Turns(turns) => Some(turns),
            Algorithm::Random | Algorithm::Hashing(_) => None,
        };
        self.algorithm = match &self.config.policy {
            LbPolicy::RoundRobin(slow_start) => {
                let slow_start = slow_start.as_ref().map(|config| SlowStartClock::new(config, runtime.aggression));
                Algorithm::Turns(Turns::new(set, None, slow_start, old, self.seed, now))
            }
            LbPolicy::LeastRequest(least) => {
                let slow_start =
                    least.slow_start.as_ref().map(|config| SlowStartClock::new(config, runtime.aggression));
                let least = Some((least.clone(), runtime.active_request_bias));
                Algorithm::Turns(Turns::new(set, least, slow_start, old, self.seed, now))
            }
            LbPolicy::Random => Algorithm::Random,
            LbPolicy::RingHash(_) | LbPolicy::Maglev(_) => {
                Algorithm::Hashing(Arc::clone(set.hash_tables(&self.config, self.sources.state())))
            }
        };
    }

    /// The hosts now.
    #[must_use]
    pub fn set(&self) -> &Arc<PrioritySet> {
        &self.set
    }

    /// A host for a request.
    pub fn choose(&mut self, context: &mut LbContext<'_>, now: Instant) -> Choice {
        let mut choice = Choice::default();
        let random = self.random.u64(..);
        for attempt in 0..=context.max_retries {
            choice = self.choose_once(context, random, attempt, now, choice.panic);
            let Some(host) = choice.host.and_then(|index| self.set.hosts.get(index)) else { break };
            let rejected = context.reject.as_mut().is_some_and(|reject| reject(host));
            if !rejected {
                break;
            }
        }
        choice
    }

    fn choose_once(
        &mut self,
        context: &mut LbContext<'_>,
        random: u64,
        attempt: u32,
        now: Instant,
        was_panic: bool,
    ) -> Choice {
        let random = if attempt == 0 { random } else { self.random.u64(..) };
        let (zones, values, fail_on_panic) = (&mut self.zones, &self.values, self.config.fail_traffic_on_panic);
        let mut choose_source = |sources: &mut SourceChooser, context: &mut LbContext<'_>, rng: &mut Rng| {
            let zone = || match zones {
                Some(zones) => {
                    zones.refresh(&self.set, values);
                    zones.choose(rng, values, fail_on_panic)
                }
                None => ZoneChoice::Any,
            };
            let (source, panic) = sources.choose(&self.set, context, random, zone);
            (source.filter(|source| !source.hosts(&self.set).is_empty()), panic || was_panic)
        };
        match &mut self.algorithm {
            Algorithm::Turns(turns) => {
                let (source, panic) = choose_source(&mut self.sources, context, &mut self.random);
                let host = source.and_then(|source| turns.choose(&self.set, source, &mut self.random, now));
                Choice { host, panic, ..Choice::default() }
            }
            Algorithm::Random => {
                let (source, panic) = choose_source(&mut self.sources, context, &mut self.random);
                let host = source.and_then(|source: HostsSource| any(source.hosts(&self.set), random));
                Choice { host, panic, ..Choice::default() }
            }
            Algorithm::Hashing(tables) => tables.choose(&self.set, context.hash.unwrap_or(random), attempt),
        }
    }
}

/// One of `hosts`, as Envoy draws it.
pub(crate) fn any(hosts: &[usize], random: u64) -> Option<usize> {
    let index = random.checked_rem(hosts.len() as u64)?;
    hosts.get(usize::try_from(index).ok()?).copied()
}

#[cfg(test)]
mod tests;
