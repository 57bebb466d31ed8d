//! Sessions that end after a time.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::server::StoresServerSessions;

/// How many bytes a time takes.
const TIME_LEN: usize = 8;

/// A store whose sessions can be resumed for so many seconds.
#[derive(Debug)]
pub(crate) struct TimedSessions {
    store: Arc<dyn StoresServerSessions>,
    lifetime: u32,
}

/// Puts the time before what was made now.
pub(crate) fn stamp(content: &[u8]) -> Vec<u8> {
    [&seconds().to_be_bytes()[..], content].concat()
}

/// What was stamped, if that was no longer ago than `lifetime` seconds.
pub(crate) fn fresh(stamped: &[u8], lifetime: u32) -> Option<Vec<u8>> {
    let (time, content) = stamped.split_at_checked(TIME_LEN)?;
    let made = u64::from_be_bytes(time.try_into().ok()?);
    (seconds().saturating_sub(made) <= lifetime.into()).then(|| content.to_vec())
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

// === impl TimedSessions ===

impl TimedSessions {
    pub(crate) fn new(store: Arc<dyn StoresServerSessions>, lifetime: u32) -> Self {
        Self { store, lifetime }
    }
}

impl StoresServerSessions for TimedSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.store.put(key, stamp(&value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        fresh(&self.store.get(key)?, self.lifetime)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        fresh(&self.store.take(key)?, self.lifetime)
    }

    fn can_cache(&self) -> bool {
        self.store.can_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_gone() {
        assert_eq!(fresh(&stamp(b"session"), 10).as_deref(), Some(&b"session"[..]));
        let old = [&(seconds() - 11).to_be_bytes()[..], b"session"].concat();
        assert_eq!(fresh(&old, 10), None);
        assert_eq!(fresh(b"short", 10), None);
    }
}
