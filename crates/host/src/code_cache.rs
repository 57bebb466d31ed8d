//! Code that was fetched, by its checksum: Envoy's cache of remote code.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use crate::Stat;
use crate::shared::space::locked;

/// Code that nobody has asked for so long is forgotten.
const UNUSED: Duration = Duration::from_hours(24);
/// That code could not be had is believed for so long.
const NEGATIVE: Duration = Duration::from_secs(10);

/// One for the process. Times are nanoseconds of a clock that never goes back.
#[derive(Debug, Default)]
pub struct CodeCache {
    state: Mutex<State>,
}

/// What the cache knows of a piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedCode {
    /// It is here.
    Hit(Bytes),
    /// It is not: fetch it, and tell [`CodeCache::fetched`].
    Miss,
    /// Somebody is fetching it. Who needs it nevertheless fetches it too, as Envoy does.
    InProgress,
    /// It could not be had less than ten seconds ago.
    Negative,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<String, Entry>,
    hits: u64,
    misses: u64,
    negative_hits: u64,
    fetch_successes: u64,
    fetch_failures: u64,
}

#[derive(Debug)]
struct Entry {
    /// Empty if it could not be had, or not yet.
    code: Bytes,
    in_progress: bool,
    used_ns: u64,
    fetched_ns: u64,
}

// === impl CodeCache ===

impl CodeCache {
    /// Asks for the code of that checksum, as it is configured. Whoever does not get it is taken to fetch it from now on.
    pub fn ask(&self, sha256: &str, now_ns: u64) -> CachedCode {
        let state = &mut *locked(&self.state);
        let since = |then: u64| Duration::from_nanos(now_ns.saturating_sub(then));
        state.entries.retain(|key, entry| key == sha256 || since(entry.used_ns) <= UNUSED);
        let Some(entry) = state.entries.get_mut(sha256) else {
            let entry = Entry { code: Bytes::new(), in_progress: true, used_ns: now_ns, fetched_ns: now_ns };
            state.entries.insert(sha256.to_owned(), entry);
            state.misses += 1;
            return CachedCode::Miss;
        };
        entry.used_ns = now_ns;
        let in_progress = entry.in_progress;
        if in_progress {
            state.misses += 1;
        }
        if !entry.code.is_empty() {
            state.hits += 1;
            return CachedCode::Hit(entry.code.clone());
        }
        // One that is being fetched counts here too (observed in Envoy 1.40).
        let negative = since(entry.fetched_ns) < NEGATIVE;
        if negative {
            state.negative_hits += 1;
        }
        entry.in_progress = true;
        entry.fetched_ns = now_ns;
        match (in_progress, negative) {
            (true, _) => CachedCode::InProgress,
            (false, true) => CachedCode::Negative,
            (false, false) => CachedCode::Miss,
        }
    }

    /// What came of a fetch: the code, or nothing.
    pub fn fetched(&self, sha256: &str, code: Option<&Bytes>, now_ns: u64) {
        let state = &mut *locked(&self.state);
        let entry = state.entries.entry(sha256.to_owned()).or_insert(Entry {
            code: Bytes::new(),
            in_progress: false,
            used_ns: now_ns,
            fetched_ns: now_ns,
        });
        entry.in_progress = false;
        entry.code = code.cloned().unwrap_or_default();
        match code {
            Some(_) => state.fetch_successes += 1,
            None => state.fetch_failures += 1,
        }
    }

    /// Envoy's `wasm.remote_load_*`.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&str, Stat)) {
        let state = &*locked(&self.state);
        visit("wasm.remote_load_cache_entries", Stat::Gauge(state.entries.len() as u64));
        for (what, count) in [
            ("cache_hits", state.hits),
            ("cache_misses", state.misses),
            ("cache_negative_hits", state.negative_hits),
            ("fetch_failures", state.fetch_failures),
            ("fetch_successes", state.fetch_successes),
        ] {
            visit(&format!("wasm.remote_load_{what}"), Stat::Counter(count));
        }
    }

    /// Whether anybody has ever asked.
    pub(crate) fn is_used(&self) -> bool {
        !locked(&self.state).entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * SECOND;

    fn counts(cache: &CodeCache) -> [u64; 6] {
        let mut values = [0; 6];
        let mut index = 0;
        cache.visit(&mut |_, value| {
            if let (Stat::Counter(value) | Stat::Gauge(value), Some(slot)) = (value, values.get_mut(index)) {
                *slot = value;
            }
            index += 1;
        });
        values
    }

    #[test]
    fn code_is_fetched_once() {
        let cache = CodeCache::default();
        let code = Bytes::from_static(b"code");
        assert_eq!(cache.ask("a", 0), CachedCode::Miss);
        assert_eq!(cache.ask("a", 1), CachedCode::InProgress);
        cache.fetched("a", Some(&code), 2);
        assert_eq!(cache.ask("a", 3), CachedCode::Hit(code));
        assert_eq!(counts(&cache), [1, 1, 2, 1, 0, 1]);
    }

    #[test]
    fn failures_are_believed_for_ten_seconds() {
        let cache = CodeCache::default();
        assert_eq!(cache.ask("a", 0), CachedCode::Miss);
        cache.fetched("a", None, SECOND);
        assert_eq!(cache.ask("a", 9 * SECOND), CachedCode::Negative);
        cache.fetched("a", None, 9 * SECOND);
        assert_eq!(cache.ask("a", 19 * SECOND), CachedCode::Miss);
        assert_eq!(counts(&cache), [1, 0, 1, 1, 2, 0]);
    }

    #[test]
    fn what_nobody_wants_for_a_day_is_forgotten() {
        let cache = CodeCache::default();
        let code = Bytes::from_static(b"code");
        for key in ["a", "b"] {
            assert_eq!(cache.ask(key, 0), CachedCode::Miss);
            cache.fetched(key, Some(&code), 0);
        }
        // The one that is asked for stays whatever its age.
        assert_eq!(cache.ask("b", DAY + 1), CachedCode::Hit(code));
        assert_eq!(cache.ask("a", DAY + 1), CachedCode::Miss);
    }
}
