//! What has become of each resource that somebody wants of a control plane or a file: what a client of xDS tells who asks for its
//! status (CSDS).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sandgate_xds::{Names, ResourceType, Update};

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct ResourceStatuses {
    /// By the subscription's number.
    known: Mutex<BTreeMap<u64, Subscribed>>,
    next: AtomicU64,
}

/// The resources of one subscription.
#[derive(Debug)]
struct Subscribed {
    kind: ResourceType,
    /// It asks for all that there are.
    every: bool,
    resources: BTreeMap<String, ResourceStatus>,
}

/// One resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceStatus {
    pub(crate) state: ResourceState,
    /// The one that was taken last, and when.
    pub(crate) taken: Option<(String, SystemTime)>,
    /// The one that was refused last, if none was taken since.
    pub(crate) refused: Option<Refused>,
}

/// An `envoy.admin.v3.ClientResourceStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ResourceState {
    #[default]
    Requested,
    DoesNotExist,
    Acked,
    Nacked,
    Timeout,
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) version: String,
    pub(crate) at: SystemTime,
    pub(crate) details: String,
}

/// A subscription. Dropped, nobody wants its resources any more.
#[derive(Debug)]
pub(crate) struct SubscriptionStatus {
    all: Arc<ResourceStatuses>,
    number: u64,
}

/// A refusal names those of an update that are refused, if it is not all of them. It is not searched for more bytes than this.
const MOST_SEARCHED: usize = 10_000_000;

// === impl ResourceStatuses ===

impl ResourceStatuses {
    /// A new subscription; of names that it has, each is asked for.
    pub(crate) fn subscribe(self: &Arc<Self>, kind: ResourceType, names: &Names) -> SubscriptionStatus {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (every, names) = match names {
            Names::Wildcard => (true, None),
            Names::Set(names) => (false, Some(names)),
        };
        let resources = names.into_iter().flatten().map(|name| (name.clone(), ResourceStatus::default())).collect();
        self.known().insert(number, Subscribed { kind, every, resources });
        SubscriptionStatus { all: Arc::clone(self), number }
    }

    /// All there are, by type and name.
    pub(crate) fn get(&self) -> Vec<(ResourceType, String, ResourceStatus)> {
        let known = self.known();
        let each = known.values().flat_map(|Subscribed { kind, resources, .. }| {
            resources.iter().map(|(name, status)| (*kind, name.clone(), status.clone()))
        });
        let mut all: Vec<_> = each.collect();
        all.sort_by(|(kind, name, _), (other_kind, other, _)| (kind, name).cmp(&(other_kind, other)));
        all
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u64, Subscribed>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl ResourceState ===

impl ResourceState {
    /// The value's name in `envoy.admin.v3.ClientResourceStatus`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::DoesNotExist => "DOES_NOT_EXIST",
            Self::Acked => "ACKED",
            Self::Nacked => "NACKED",
            Self::Timeout => "TIMEOUT",
        }
    }

    /// Its number there.
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Requested => 1,
            Self::DoesNotExist => 2,
            Self::Acked => 3,
            Self::Nacked => 4,
            Self::Timeout => 6,
        }
    }
}

// === impl Subscribed ===

impl Subscribed {
    fn told(&mut self, update: &Update, result: &Result<(), String>) {
        let at = SystemTime::now();
        let details = result.as_ref().err();
        let refused = |name: &str| details.is_some_and(|details| details.contains(&format!("{name}: ")));
        let searched = details.map_or(0, String::len).saturating_mul(update.resources.len());
        let only_named = searched <= MOST_SEARCHED && update.resources.iter().any(|resource| refused(&resource.name));
        for resource in &update.resources {
            let version = if resource.version.is_empty() { &update.version } else { &resource.version }.clone();
            let status = self.resources.entry(resource.name.clone()).or_default();
            match details {
                Some(details) if !only_named || refused(&resource.name) => {
                    status.state = ResourceState::Nacked;
                    status.refused = Some(Refused { version, at, details: details.clone() });
                }
                _ => {
                    let taken = Some((version, at));
                    *status = ResourceStatus { state: ResourceState::Acked, taken, refused: None };
                }
            }
        }
        for name in &update.removed {
            if self.every {
                self.resources.remove(name);
            } else if let Some(status) = self.resources.get_mut(name) {
                *status = ResourceStatus { state: ResourceState::DoesNotExist, ..ResourceStatus::default() };
            }
        }
        if self.every && !update.is_delta && details.is_none() {
            let there: BTreeSet<_> = update.resources.iter().map(|resource| &resource.name).collect();
            self.resources.retain(|name, _| there.contains(name));
        }
    }
}

// === impl SubscriptionStatus ===

impl SubscriptionStatus {
    /// An update was told, and taken or refused.
    pub(crate) fn told(&self, update: &Update, result: &Result<(), String>) {
        if let Some(subscribed) = self.all.known().get_mut(&self.number) {
            subscribed.told(update, result);
        }
    }

    /// A response was refused as a whole.
    pub(crate) fn refused(&self, version: &str, details: &str) {
        let refused = Refused { version: version.to_owned(), at: SystemTime::now(), details: details.to_owned() };
        let mut known = self.all.known();
        let resources =
            known.get_mut(&self.number).into_iter().flat_map(|subscribed| subscribed.resources.values_mut());
        for status in resources {
            status.state = ResourceState::Nacked;
            status.refused = Some(refused.clone());
        }
    }

    /// What has not come has taken too long.
    pub(crate) fn timed_out(&self) {
        let mut known = self.all.known();
        let resources =
            known.get_mut(&self.number).into_iter().flat_map(|subscribed| subscribed.resources.values_mut());
        resources
            .filter(|status| status.state == ResourceState::Requested)
            .for_each(|status| status.state = ResourceState::Timeout);
    }
}

impl Drop for SubscriptionStatus {
    fn drop(&mut self) {
        self.all.known().remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
