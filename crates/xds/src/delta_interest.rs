//! What the control plane has been told of one type, and what it has sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::watches::{Change, WILDCARD};

/// Of one type.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    /// What is asked for by name, [`WILDCARD`] for all, with the version that is there.
    requested: BTreeMap<String, Option<String>>,
    /// What has come because all is asked for.
    others: BTreeMap<String, String>,
    /// What the next request says.
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
    /// Whether the stream has had a request of this type.
    told: bool,
}

/// What a request says of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) subscribe: Vec<String>,
    pub(crate) unsubscribe: Vec<String>,
    pub(crate) initial: BTreeMap<String, String>,
}

impl Interest {
    /// Follows what the watches want.
    pub(crate) fn change(&mut self, change: Change) {
        for name in change.added {
            let version = self.others.remove(&name);
            self.requested.insert(name.clone(), version);
            self.removed.remove(&name);
            self.added.insert(name);
        }
        for name in change.removed {
            self.added.remove(&name);
            let Some(version) = self.requested.remove(&name) else { continue };
            if name == WILDCARD {
                self.others.clear();
            } else if self.requested.contains_key(WILDCARD)
                && let Some(version) = version
            {
                // It may be there because of that, too.
                self.others.insert(name.clone(), version);
            }
            self.removed.insert(name);
        }
    }

    pub(crate) fn stream_opened(&mut self) {
        self.told = false;
    }

    /// Whether there is something to say. A first request without any name would ask for all.
    pub(crate) fn is_pending(&self) -> bool {
        if self.told { !self.added.is_empty() || !self.removed.is_empty() } else { !self.requested.is_empty() }
    }

    /// What the next request says: all, if it is the first of a stream.
    pub(crate) fn tell(&mut self) -> Told {
        let (added, removed) = (std::mem::take(&mut self.added), std::mem::take(&mut self.removed));
        if std::mem::replace(&mut self.told, true) {
            return Told {
                subscribe: added.into_iter().collect(),
                unsubscribe: removed.into_iter().collect(),
                initial: BTreeMap::new(),
            };
        }
        let known = self.requested.iter().filter_map(|(name, version)| Some((name.clone(), version.clone()?)));
        let others = self.others.iter().map(|(name, version)| (name.clone(), version.clone()));
        let only_all = self.requested.keys().all(|name| name == WILDCARD);
        Told {
            subscribe: if only_all { Vec::new() } else { self.requested.keys().cloned().collect() },
            unsubscribe: Vec::new(),
            initial: known.chain(others).collect(),
        }
    }

    /// That version is there.
    pub(crate) fn has(&self, name: &str, version: &str) -> bool {
        let known = self.requested.get(name).and_then(Option::as_ref).or_else(|| self.others.get(name));
        known.is_some_and(|known| known == version)
    }

    /// A resource was taken. What nobody asked for is not remembered.
    pub(crate) fn taken(&mut self, name: String, version: String) {
        if let Some(known) = self.requested.get_mut(&name) {
            *known = Some(version);
        } else if self.requested.contains_key(WILDCARD) {
            self.others.insert(name, version);
        }
    }

    /// A resource is gone.
    pub(crate) fn gone(&mut self, name: &str) {
        if let Some(known) = self.requested.get_mut(name) {
            *known = None;
        }
        self.others.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(added: &[&str], removed: &[&str]) -> Change {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Change { added: owned(added), removed: owned(removed) }
    }

    fn told(interest: &mut Interest) -> (Vec<String>, Vec<String>, Vec<String>) {
        assert!(interest.is_pending());
        let Told { subscribe, unsubscribe, initial } = interest.tell();
        (subscribe, unsubscribe, initial.into_iter().map(|(name, version)| format!("{name}={version}")).collect())
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn all_alone_is_not_named_at_first() {
        let mut interest = Interest::default();
        assert!(!interest.is_pending());
        interest.change(change(&["*"], &[]));
        assert_eq!(told(&mut interest), (vec![], vec![], vec![]));
        assert!(!interest.is_pending());
        interest.taken("x".to_owned(), "1".to_owned());
        interest.change(change(&["a"], &[]));
        assert_eq!(told(&mut interest), (texts(&["a"]), vec![], vec![]));
        interest.stream_opened();
        assert_eq!(told(&mut interest), (texts(&["*", "a"]), vec![], texts(&["x=1"])));
        interest.change(change(&[], &["a"]));
        assert_eq!(told(&mut interest), (vec![], texts(&["a"]), vec![]));
        interest.change(change(&[], &["*"]));
        assert_eq!(told(&mut interest), (vec![], texts(&["*"]), vec![]));
        interest.stream_opened();
        assert!(!interest.is_pending(), "a request without names would ask for all");
    }

    #[test]
    fn names_come_and_go() {
        let mut interest = Interest::default();
        interest.change(change(&["b", "a"], &[]));
        assert_eq!(told(&mut interest), (texts(&["a", "b"]), vec![], vec![]));
        interest.taken("a".to_owned(), "1".to_owned());
        interest.taken("nobody".to_owned(), "1".to_owned());
        assert!(interest.has("a", "1") && !interest.has("a", "2") && !interest.has("nobody", "1"));
        interest.change(change(&["c"], &["b"]));
        // Removed and added before anything was said: it has to be asked for again.
        interest.change(change(&["b"], &[]));
        interest.change(change(&[], &["c"]));
        assert_eq!(told(&mut interest), (texts(&["b"]), texts(&["c"]), vec![]));
        interest.stream_opened();
        assert_eq!(told(&mut interest), (texts(&["a", "b"]), vec![], texts(&["a=1"])));
        interest.gone("a");
        interest.stream_opened();
        assert_eq!(told(&mut interest), (texts(&["a", "b"]), vec![], vec![]));
    }

    #[test]
    fn what_goes_without_a_stream_is_not_mentioned() {
        let mut interest = Interest::default();
        interest.change(change(&["a"], &[]));
        let _ = interest.tell();
        interest.stream_opened();
        interest.change(change(&[], &["a"]));
        assert!(!interest.is_pending());
        interest.change(change(&["b"], &[]));
        assert_eq!(told(&mut interest), (texts(&["b"]), vec![], vec![]));
    }
}
