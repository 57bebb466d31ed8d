//! What is refused again and again. A control plane may answer a refusal with the same resources at once, as
//! go-control-plane 0.13 does, and Envoy then refuses them some hundred times a second; here such refusals slow down.

use std::collections::HashMap;
use std::time::Duration;

use super::ResourceType;

/// So many refusals of a version are told at once.
const AT_ONCE: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// What is right at last may be asked for that much later.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The version of each type that was refused last, and how often.
#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<ResourceType, (String, u32)>);

impl Refusals {
    /// Counts a refusal. How long it is not to be told, if that is so.
    pub(super) fn refused(&mut self, kind: ResourceType, version: &str) -> Option<Duration> {
        let (last, count) = self.0.entry(kind).or_default();
        if last != version {
            (*last, *count) = (version.to_owned(), 0);
        }
        *count = count.saturating_add(1);
        let doublings = count.checked_sub(AT_ONCE + 1)?;
        Some(FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_WAIT))
    }

    /// Resources of the type were taken.
    pub(super) fn taken(&mut self, kind: ResourceType) {
        self.0.remove(&kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_version_is_refused_ever_more_slowly() {
        let mut refusals = Refusals::default();
        let mut refuse = |version| refusals.refused(ResourceType::Cluster, version).map(|wait| wait.as_millis());
        assert_eq!([refuse("1"), refuse("1"), refuse("1")], [None; 3]);
        assert_eq!([refuse("1"), refuse("1"), refuse("1")], [Some(10), Some(20), Some(40)]);
        assert_eq!((0..100).map(|_| refuse("1")).last(), Some(Some(1000)));
        assert_eq!(refuse("2"), None);
    }

    #[test]
    fn types_are_refused_by_themselves() {
        let mut refusals = Refusals::default();
        let mut refuse = |kind| (0..4).map(|_| refusals.refused(kind, "1")).last().flatten();
        assert!(refuse(ResourceType::Cluster).is_some());
        assert!(refuse(ResourceType::Listener).is_some());
        refusals.taken(ResourceType::Cluster);
        assert_eq!(refusals.refused(ResourceType::Cluster, "1"), None);
        assert!(refusals.refused(ResourceType::Listener, "1").is_some());
    }
}
