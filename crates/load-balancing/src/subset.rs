//! Load balancing over subsets of a cluster's hosts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;
use sandgate_config::model::{
    LoadBalancing, MetadataCriteria, MetadataCriterion, MetadataValue, SelectorFallback, SubsetFallback,
    SubsetLoadBalancing,
};

use crate::{Choice, LbContext, LoadBalancer, LocalityHosts, PrioritySet, RuntimeValues};

mod sort;

use sort::{label_match, sort};

/// The criterion of a request that lists others, under `FALLBACK_LIST`.
const FALLBACK_LIST: &str = "fallback_list";

/// Chooses among those hosts of a cluster that have the metadata which a request asks for. Each subset has a load balancer of its
/// own, with the cluster's policy.
#[derive(Debug)]
pub struct SubsetBalancer {
    config: Arc<LoadBalancing>,
    subsets: Arc<SubsetLoadBalancing>,
    random: Rng,
    entries: HashMap<Box<[MetadataCriterion]>, Entry>,
    /// All hosts, if a fallback may want them.
    any: Option<Part>,
    /// Those of the default subset, if a fallback may want them.
    default: Option<Part>,
    /// What selectors say of requests for which there is no subset, by their keys.
    fallbacks: Vec<(BTreeSet<String>, SelectorFallback)>,
}

/// What became of the subsets when hosts changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubsetChanges {
    /// Subsets made.
    pub created: u64,
    /// Subsets that have no host any more.
    pub removed: u64,
    /// Subsets there are now.
    pub active: u64,
}

#[derive(Debug)]
enum Entry {
    Part(Box<Part>),
    /// One host, whatever its health, as an index into [`PrioritySet::hosts`].
    Single(Option<usize>),
}

/// Some of the hosts, and how one of them is chosen.
#[derive(Debug)]
struct Part {
    balancer: LoadBalancer,
    /// Where they are in the whole set.
    members: Vec<usize>,
}

// === impl SubsetBalancer ===

impl SubsetBalancer {
    /// A load balancer without hosts; see [`Self::update`].
    #[must_use]
    pub fn new(config: &Arc<LoadBalancing>, subsets: &SubsetLoadBalancing, random: Rng) -> Self {
        let mut fallbacks = Vec::new();
        let mut known: HashSet<Vec<&String>> = HashSet::new();
        for selector in &subsets.selectors {
            let keys: Vec<_> = selector.keys.iter().collect();
            // Keys with which those of an earlier selector begin have its place, and with it its fallback: none (as in Envoy).
            if let Some(fallback) = selector.fallback.clone().filter(|_| !keys.is_empty() && !known.contains(&keys)) {
                fallbacks.push((selector.keys.clone(), fallback));
            }
            known.extend((1..=keys.len()).filter_map(|count| keys.get(..count).map(<[_]>::to_vec)));
        }
        Self {
            config: Arc::clone(config),
            subsets: Arc::new(subsets.clone()),
            random,
            entries: HashMap::new(),
            any: None,
            default: None,
            fallbacks,
        }
    }

    /// Goes over to another set of hosts. Turns within subsets go on where they were.
    pub fn update(&mut self, set: &Arc<PrioritySet>, runtime: RuntimeValues, now: Instant) -> SubsetChanges {
        let subsets = &self.subsets;
        let mut maker = Maker { config: &self.config, subsets, set, runtime, random: &mut self.random, now };
        if may_use(subsets, SubsetFallback::AnyEndpoint) {
            self.any = Some(maker.part(self.any.take(), (0..set.hosts.len()).collect()));
        }
        if may_use(subsets, SubsetFallback::DefaultSubset) {
            let fits = |index: &usize| {
                let fields = set.hosts.get(*index).and_then(|host| host.lb_fields.as_deref());
                label_match(&subsets.default_subset, fields, subsets.list_as_any)
            };
            self.default = Some(maker.part(self.default.take(), (0..set.hosts.len()).filter(fits).collect()));
        }
        let is_single = |key: &[MetadataCriterion]| Some(matches!(self.entries.get(key)?, Entry::Single(_)));
        let sorted = sort(set, subsets, is_single).subsets;
        let mut changes = SubsetChanges::default();
        let mut old = std::mem::take(&mut self.entries);
        for (key, found) in sorted {
            let before = old.remove(&key);
            changes.created += u64::from(before.is_none());
            let entry = match before {
                _ if found.single => Entry::Single(found.members.first().copied()),
                Some(Entry::Part(part)) => Entry::Part(Box::new(maker.part(Some(*part), found.members))),
                Some(Entry::Single(_)) | None => Entry::Part(Box::new(maker.part(None, found.members))),
            };
            self.entries.insert(key, entry);
        }
        // One without hosts stays while its key is the beginning of another's (as in Envoy).
        let (empty, gone): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|(key, _)| self.entries.keys().any(|other| other.starts_with(key)));
        changes.removed = gone.len() as u64;
        for (key, entry) in empty {
            let entry = match entry {
                Entry::Single(_) => Entry::Single(None),
                Entry::Part(part) => Entry::Part(Box::new(maker.part(Some(*part), Vec::new()))),
            };
            self.entries.insert(key, entry);
        }
        changes.active = self.entries.len() as u64;
        changes
    }

    /// A host for a request.
    pub fn choose(&mut self, context: &mut LbContext<'_>, now: Instant) -> Choice {
        let mut choice = Choice::default();
        let criteria = context.criteria;
        let listed = criteria.filter(|_| self.subsets.metadata_fallback_list).and_then(|c| c.get(FALLBACK_LIST));
        choice.host = match (criteria, listed) {
            (Some(criteria), Some(list)) => self.choose_of_list(criteria, list, context, &mut choice, now),
            _ => self.choose_by(criteria, context, &mut choice, now),
        };
        choice
    }

    /// Tries criteria one after the other, each over what else the request asks for.
    fn choose_of_list(
        &mut self,
        criteria: &MetadataCriteria,
        list: &MetadataValue,
        context: &mut LbContext<'_>,
        choice: &mut Choice,
        now: Instant,
    ) -> Option<usize> {
        let rest: MetadataCriteria =
            criteria.as_slice().iter().filter(|criterion| *criterion.name != *FALLBACK_LIST).cloned().collect();
        let list = match list {
            MetadataValue::List(list) if !list.is_empty() => list,
            _ => {
                let rest = (!rest.as_slice().is_empty()).then_some(&rest);
                return self.choose_by(rest, context, choice, now);
            }
        };
        list.iter().find_map(|over| {
            let criteria = rest.merged(&MetadataCriteria::of_value(over));
            self.choose_by(Some(&criteria), context, choice, now)
        })
    }

    fn choose_by(
        &mut self,
        criteria: Option<&MetadataCriteria>,
        context: &mut LbContext<'_>,
        choice: &mut Choice,
        now: Instant,
    ) -> Option<usize> {
        let reduced = criteria.filter(|_| self.subsets.allow_redundant_keys).and_then(|criteria| {
            let mut selectors = self.subsets.selectors.iter();
            selectors.find_map(|s| criteria.filtered(&s.keys).filter(|left| left.as_slice().len() == s.keys.len()))
        });
        if let Some(criteria) = reduced.as_ref().or(criteria) {
            match self.entries.get_mut(criteria.as_slice()) {
                Some(Entry::Single(Some(host))) => {
                    choice.selected += 1;
                    return Some(*host);
                }
                Some(Entry::Part(part)) if !part.members.is_empty() => {
                    choice.selected += 1;
                    return part.choose(context, choice, now);
                }
                _ => {}
            }
            let names = || criteria.as_slice().iter().map(|criterion| &*criterion.name);
            let fallback = self.fallbacks.iter().find(|(keys, _)| keys.iter().map(String::as_str).eq(names()));
            match fallback.map(|(_, fallback)| fallback) {
                None => {}
                Some(SelectorFallback::Policy(policy)) => {
                    let policy = *policy;
                    return self.fall_back(policy)?.choose(context, choice, now);
                }
                // Fewer keys than before, so that this ends.
                Some(SelectorFallback::Keys(keys)) => {
                    let fewer = criteria.filtered(keys);
                    return self.choose_by(fewer.as_ref(), context, choice, now);
                }
            }
        }
        let host = self.fall_back(self.subsets.fallback)?.choose(context, choice, now);
        if host.is_some() {
            choice.fallback = true;
            return host;
        }
        let any = self.any.as_mut().filter(|_| self.subsets.panic_mode_any)?;
        let host = any.choose(context, choice, now);
        choice.fallback_panic = host.is_some();
        host
    }

    fn fall_back(&mut self, policy: SubsetFallback) -> Option<&mut Part> {
        match policy {
            SubsetFallback::None => None,
            SubsetFallback::AnyEndpoint => self.any.as_mut(),
            SubsetFallback::DefaultSubset => self.default.as_mut(),
        }
    }
}

/// Hosts of the last priority that came too late for their subset of one host.
#[must_use]
pub fn subset_duplicates(set: &PrioritySet, subsets: &SubsetLoadBalancing) -> u64 {
    sort(set, subsets, |_| None).duplicates
}

/// Whether a request may be sent where `policy` says.
fn may_use(subsets: &SubsetLoadBalancing, policy: SubsetFallback) -> bool {
    let of_selector = |fallback: &SelectorFallback| *fallback == SelectorFallback::Policy(policy);
    subsets.fallback == policy
        || subsets.panic_mode_any && policy == SubsetFallback::AnyEndpoint
        || subsets.selectors.iter().any(|selector| selector.fallback.as_ref().is_some_and(of_selector))
}

/// Makes the load balancers of subsets.
struct Maker<'a> {
    config: &'a Arc<LoadBalancing>,
    subsets: &'a SubsetLoadBalancing,
    set: &'a PrioritySet,
    runtime: RuntimeValues,
    random: &'a mut Rng,
    now: Instant,
}

// === impl Maker ===

impl Maker<'_> {
    fn part(&mut self, old: Option<Part>, members: Vec<usize>) -> Part {
        let set = Arc::new(self.set.subset(&members, self.subsets.locality_weight_aware, |whole, left| {
            if self.subsets.scale_locality_weight { scaled(whole, left) } else { whole.weight }
        }));
        let balancer = match old {
            Some(Part { mut balancer, .. }) => {
                balancer.update(&set, self.runtime, self.now);
                balancer
            }
            None => LoadBalancer::new(self.config, &set, self.runtime, self.random.fork(), self.now),
        };
        Part { balancer, members }
    }
}

/// The weight of a locality of which so many hosts are left.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Envoy's arithmetic"
)]
fn scaled(whole: &LocalityHosts, left: usize) -> u32 {
    if whole.all.is_empty() {
        return 0;
    }
    ((f64::from(whole.weight) * left as f64) as f32 / whole.all.len() as f32).round() as u32
}

// === impl Part ===

impl Part {
    fn choose(&mut self, context: &mut LbContext<'_>, choice: &mut Choice, now: Instant) -> Option<usize> {
        let chosen = self.balancer.choose(context, now);
        choice.panic |= chosen.panic;
        self.members.get(chosen.host?).copied()
    }
}

#[cfg(test)]
mod tests;
