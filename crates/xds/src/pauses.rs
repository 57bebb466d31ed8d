//! Types whose requests wait.

use std::collections::BTreeMap;

use crate::ResourceType;

/// How many want the requests of a type to wait.
#[derive(Debug, Default)]
pub(crate) struct Pauses(BTreeMap<ResourceType, usize>);

impl Pauses {
    pub(crate) fn pause(&mut self, kind: ResourceType) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Whether nobody wants it any more.
    pub(crate) fn resume(&mut self, kind: ResourceType) -> bool {
        let Some(count) = self.0.get_mut(&kind) else { return true };
        *count -= 1;
        let free = *count == 0;
        if free {
            self.0.remove(&kind);
        }
        free
    }

    pub(crate) fn is_paused(&self, kind: ResourceType) -> bool {
        self.0.contains_key(&kind)
    }
}
