//! Who watches which resources of one type.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// All that the control plane has for this node.
    Wildcard,
    /// These.
    Set(BTreeSet<String>),
}

/// Stands for all resources where a request names some, too.
pub(crate) const WILDCARD: &str = "*";

/// The watches by their serial numbers, and by the names that they ask for.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    names: BTreeMap<u64, Names>,
    by_name: HashMap<String, BTreeSet<u64>>,
}

/// Names that somebody asks for, and nobody asked for before; and the other way round.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

impl Names {
    /// A single one.
    #[must_use]
    pub fn one(name: impl Into<String>) -> Self {
        Self::Set(BTreeSet::from([name.into()]))
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let (all, set) = match self {
            Self::Wildcard => (Some(WILDCARD), None),
            Self::Set(names) => (None, Some(names.iter().map(String::as_str))),
        };
        all.into_iter().chain(set.into_iter().flatten())
    }
}

impl Watches {
    /// Adds a watch, or changes what it asks for.
    pub(crate) fn set(&mut self, serial: u64, names: Names) -> Change {
        let before = self.names.insert(serial, names.clone());
        let old: HashSet<&str> = before.iter().flat_map(Names::iter).collect();
        let new: HashSet<&str> = names.iter().collect();
        let mut change = Change::default();
        for name in names.iter().filter(|name| !old.contains(name)) {
            let of_name = self.by_name.entry(name.to_owned()).or_default();
            if of_name.is_empty() {
                change.added.push(name.to_owned());
            }
            of_name.insert(serial);
        }
        for name in before.iter().flat_map(Names::iter).filter(|name| !new.contains(name)) {
            self.forget(serial, name, &mut change);
        }
        change
    }

    pub(crate) fn remove(&mut self, serial: u64) -> Change {
        let mut change = Change::default();
        if let Some(names) = self.names.remove(&serial) {
            names.iter().for_each(|name| self.forget(serial, name, &mut change));
        }
        change
    }

    fn forget(&mut self, serial: u64, name: &str, change: &mut Change) {
        let Some(of_name) = self.by_name.get_mut(name) else { return };
        of_name.remove(&serial);
        if of_name.is_empty() {
            self.by_name.remove(name);
            change.removed.push(name.to_owned());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The last that was made comes first, as in Envoy.
    pub(crate) fn serials(&self) -> impl Iterator<Item = u64> {
        self.names.keys().rev().copied()
    }

    /// Those that ask for all.
    pub(crate) fn wildcards(&self) -> impl Iterator<Item = u64> {
        self.by_name.get(WILDCARD).into_iter().flatten().copied()
    }

    pub(crate) fn is_wildcard(&self, serial: u64) -> bool {
        self.by_name.get(WILDCARD).is_some_and(|all| all.contains(&serial))
    }

    /// Those that ask for this resource, by its name or with all.
    pub(crate) fn interested(&self, name: &str) -> BTreeSet<u64> {
        self.by_name.get(name).into_iter().flatten().copied().chain(self.wildcards()).collect()
    }

    /// What a request of the state of the world names: each name once, by watch. Nothing stands for all.
    pub(crate) fn all_names(&self) -> Vec<String> {
        if self.by_name.len() == 1 && self.by_name.contains_key(WILDCARD) {
            return Vec::new();
        }
        let mut seen = HashSet::with_capacity(self.by_name.len());
        let all = self.names.values().rev().flat_map(Names::iter);
        all.filter(|name| seen.insert(*name)).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Names {
        Names::Set(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn changes_are_those_of_the_union() {
        let mut watches = Watches::default();
        assert_eq!(watches.set(1, set(&["a", "b"])).added, ["a", "b"]);
        assert_eq!(watches.set(2, set(&["b", "c"])).added, ["c"]);
        assert_eq!(watches.all_names(), ["b", "c", "a"]);
        let change = watches.set(1, set(&["d"]));
        assert_eq!((change.added, change.removed), (vec!["d".to_owned()], vec!["a".to_owned()]));
        assert_eq!(watches.remove(2).removed, ["b", "c"]);
        assert_eq!(watches.all_names(), ["d"]);
        assert_eq!(watches.remove(1).removed, ["d"]);
        assert!(watches.is_empty());
    }

    #[test]
    fn all_is_no_name_unless_there_are_others() {
        let mut watches = Watches::default();
        watches.set(1, Names::Wildcard);
        assert!(watches.all_names().is_empty());
        watches.set(2, set(&["a"]));
        assert_eq!(watches.all_names(), ["a", "*"]);
        assert_eq!(watches.interested("a"), BTreeSet::from([1, 2]));
        assert_eq!(watches.interested("z"), BTreeSet::from([1]));
    }
}
