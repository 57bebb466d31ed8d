//! Resources that live only as long as the control plane renews them.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// When resources of one type are over.
#[derive(Debug, Default)]
pub(crate) struct Lifetimes {
    by_name: HashMap<String, Instant>,
    by_time: BTreeSet<(Instant, String)>,
}

impl Lifetimes {
    /// From now on it lives that long, or without an end.
    pub(crate) fn set(&mut self, name: &str, ttl: Option<Duration>, now: Instant) {
        self.clear(name);
        if let Some(end) = ttl.and_then(|ttl| now.checked_add(ttl)) {
            self.by_name.insert(name.to_owned(), end);
            self.by_time.insert((end, name.to_owned()));
        }
    }

    pub(crate) fn clear(&mut self, name: &str) {
        if let Some((name, end)) = self.by_name.remove_entry(name) {
            self.by_time.remove(&(end, name));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(end, _)| *end)
    }

    /// The names of those that are over, which are forgotten.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<String> {
        let mut over = Vec::new();
        while let Some((end, _)) = self.by_time.first()
            && *end <= now
            && let Some((_, name)) = self.by_time.pop_first()
        {
            self.by_name.remove(&name);
            over.push(name);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renewed_lives_on() {
        let (mut lives, start) = (Lifetimes::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let ttl = Some(Duration::from_secs(10));
        for name in ["a", "b", "c"] {
            lives.set(name, ttl, start);
        }
        lives.set("a", ttl, at(5));
        lives.set("b", None, at(5));
        assert_eq!(lives.next(), Some(at(10)));
        assert_eq!(lives.expire(at(10)), ["c"]);
        assert!(lives.expire(at(14)).is_empty());
        assert_eq!(lives.expire(at(15)), ["a"]);
        assert_eq!(lives.next(), None);
    }
}
