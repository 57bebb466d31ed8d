//! Which hosts are in which subset.

use std::collections::{BTreeSet, HashMap, HashSet};

use sandgate_config::model::{MetadataCriteria, MetadataCriterion, MetadataValue, SubsetLoadBalancing};

use crate::PrioritySet;

/// Subsets by what their hosts have in common.
pub(super) struct Sorted {
    pub(super) subsets: HashMap<Box<[MetadataCriterion]>, Found>,
    /// Hosts of the last priority that came too late for their subset of one host.
    pub(super) duplicates: u64,
}

/// The hosts of a subset.
pub(super) struct Found {
    /// In the order of the whole set; of a subset of one host that host alone.
    pub(super) members: Vec<usize>,
    /// It is a subset of one host.
    pub(super) single: bool,
}

/// Sorts hosts by priority and then in their order. `is_single` says what a subset is that there was before.
pub(super) fn sort(
    set: &PrioritySet,
    config: &SubsetLoadBalancing,
    is_single: impl Fn(&[MetadataCriterion]) -> Option<bool>,
) -> Sorted {
    let mut subsets: HashMap<Box<[MetadataCriterion]>, Found> = HashMap::new();
    let mut duplicates = 0;
    for priority in &set.priorities {
        duplicates = 0;
        // Subsets of one host that have one of this priority.
        let mut taken: HashSet<Box<[MetadataCriterion]>> = HashSet::new();
        for index in priority.all.iter().copied() {
            let Some(fields) = set.hosts.get(index).and_then(|host| host.lb_fields.as_deref()) else { continue };
            for selector in &config.selectors {
                for key in keys(&selector.keys, fields, config.list_as_any) {
                    let key = key.into_boxed_slice();
                    let found = subsets.entry(key.clone()).or_insert_with(|| Found {
                        members: Vec::new(),
                        single: is_single(&key).unwrap_or(selector.single_host_per_subset),
                    });
                    if !found.single {
                        if found.members.last() != Some(&index) {
                            found.members.push(index);
                        }
                    } else if !taken.insert(key) {
                        duplicates += 1;
                    } else if found.members.is_empty() {
                        found.members.push(index);
                    }
                }
            }
        }
    }
    for found in subsets.values_mut() {
        found.members.sort_unstable();
    }
    Sorted { subsets, duplicates }
}

/// The subsets that a selector puts a host into: none if it lacks a key, and several if values are lists of which each counts.
fn keys(selector: &BTreeSet<String>, fields: &MetadataCriteria, list_as_any: bool) -> Vec<Vec<MetadataCriterion>> {
    let mut all: Vec<Vec<MetadataCriterion>> = Vec::new();
    for name in selector {
        let Some(criterion) = fields.as_slice().iter().find(|field| *field.name == **name) else { return Vec::new() };
        let values = match &criterion.value {
            MetadataValue::List(values) if list_as_any => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        // After an empty list it begins anew (as in Envoy).
        let before = if all.is_empty() { vec![Vec::new()] } else { std::mem::take(&mut all) };
        for key in before {
            all.extend(values.iter().map(|value| {
                let mut key = key.clone();
                key.push(MetadataCriterion { name: criterion.name.clone(), value: value.clone() });
                key
            }));
        }
    }
    all
}

/// Whether a host has all of `labels`.
pub(super) fn label_match(labels: &MetadataCriteria, fields: Option<&MetadataCriteria>, list_as_any: bool) -> bool {
    labels.as_slice().iter().all(|label| match fields.and_then(|fields| fields.get(&label.name)) {
        Some(MetadataValue::List(values)) if list_as_any => values.contains(&label.value),
        Some(value) => *value == label.value,
        None => false,
    })
}
