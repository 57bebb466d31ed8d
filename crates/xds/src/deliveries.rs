//! What there is to tell, sorted by whom it is for.

use std::collections::{BTreeMap, HashSet};

use crate::watches::Watches;
use crate::{Delivery, Resource, ResourceType, Update, WatchId};

/// New, changed and removed resources of one type, by watch.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(BTreeMap<u64, (Vec<Resource>, Vec<String>)>);

impl Deliveries {
    /// Differences: every watch hears of what it asks for, and of nothing else.
    pub(crate) fn differences(watches: &Watches, resources: Vec<Resource>, removed: &[String]) -> Self {
        let mut by_watch = Self::default();
        for resource in resources {
            for serial in watches.interested(&resource.name) {
                by_watch.0.entry(serial).or_default().0.push(resource.clone());
            }
        }
        for name in removed {
            for serial in watches.interested(name) {
                by_watch.0.entry(serial).or_default().1.push(name.clone());
            }
        }
        by_watch
    }

    /// The state of the world: who asks for all hears all, even if there is nothing, and others what they ask for by name. Of several
    /// resources of one name these get the first, as in Envoy.
    pub(crate) fn state(watches: &Watches, resources: Vec<Resource>) -> Self {
        let mut by_watch = Self::default();
        let mut seen = HashSet::with_capacity(resources.len());
        for resource in &resources {
            if !seen.insert(resource.name.as_str()) {
                continue;
            }
            for serial in watches.interested(&resource.name).into_iter().filter(|&serial| !watches.is_wildcard(serial))
            {
                by_watch.0.entry(serial).or_default().0.push(resource.clone());
            }
        }
        for (listed, _) in by_watch.0.values_mut() {
            listed.sort_by(|one, other| one.name.cmp(&other.name));
        }
        drop(seen);
        for serial in watches.wildcards() {
            by_watch.0.entry(serial).or_default().0.clone_from(&resources);
        }
        by_watch
    }

    /// Who asks for all hears even of nothing.
    pub(crate) fn with_wildcards(mut self, watches: &Watches) -> Self {
        for serial in watches.wildcards() {
            self.0.entry(serial).or_default();
        }
        self
    }

    /// The last watch first, as in Envoy.
    pub(crate) fn into_list(self, kind: ResourceType, version: &str, is_delta: bool) -> Vec<Delivery> {
        let each = self.0.into_iter().rev().map(|(serial, (resources, removed))| Delivery {
            watch: WatchId { kind, serial },
            update: Update { resource_type: kind, version: version.to_owned(), resources, removed, is_delta },
        });
        each.collect()
    }
}
