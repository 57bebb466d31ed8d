//! Shared data and queues of one `vm_id`. Gone with the last base VM of that id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use sandgate_abi::Status;

use super::queue::{Consumer, Queue, Queues};
use crate::HostLimits;

/// What an entry costs beyond its bytes, roughly.
pub(super) const ENTRY_OVERHEAD: usize = 64;

/// All spaces of a process, by `vm_id`.
#[derive(Debug, Default)]
pub(crate) struct Spaces {
    by_id: Mutex<HashMap<String, Weak<Space>>>,
    queues: Arc<Queues>,
    /// One counter for all `vm_id`s, as in Envoy; 0 means "unconditional" and is skipped.
    cas: Arc<AtomicU32>,
}

/// The namespace of one `vm_id`.
#[derive(Debug)]
pub(crate) struct Space {
    data: Mutex<Data>,
    queues: Mutex<HashMap<Bytes, Arc<Queue>>>,
    registry: Arc<Queues>,
    cas: Arc<AtomicU32>,
}

#[derive(Debug, Default)]
struct Data {
    entries: HashMap<Bytes, (Bytes, u32)>,
    bytes: usize,
}

/// A poisoned lock means that some thread panicked between two plain map operations; the map is still a map.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Spaces ===

impl Spaces {
    /// The space of `vm_id`, made if need be.
    pub(crate) fn open(&self, vm_id: &str) -> Arc<Space> {
        let mut by_id = locked(&self.by_id);
        if let Some(space) = by_id.get(vm_id).and_then(Weak::upgrade) {
            return space;
        }
        by_id.retain(|_, space| space.strong_count() > 0);
        let space = Arc::new(Space {
            data: Mutex::default(),
            queues: Mutex::default(),
            registry: Arc::clone(&self.queues),
            cas: Arc::clone(&self.cas),
        });
        by_id.insert(vm_id.to_owned(), Arc::downgrade(&space));
        space
    }

    /// The space of `vm_id`, if anyone has it open.
    pub(crate) fn find(&self, vm_id: &[u8]) -> Option<Arc<Space>> {
        let vm_id = std::str::from_utf8(vm_id).ok()?;
        locked(&self.by_id).get(vm_id)?.upgrade()
    }

    /// The queue with this token.
    pub(crate) fn queue(&self, token: u32) -> Option<Arc<Queue>> {
        self.queues.get(token)
    }
}

// === impl Space ===

impl Space {
    pub(crate) fn get(&self, key: &[u8]) -> Option<(Bytes, u32)> {
        locked(&self.data).entries.get(key).cloned()
    }

    /// Stores `value`. A `cas` other than 0 must be that of the value there; for a new key it is ignored (as in Envoy).
    pub(crate) fn set(&self, key: &[u8], value: &[u8], cas: u32, limits: &HostLimits) -> Result<(), Status> {
        let mut data = locked(&self.data);
        let old = match data.entries.get(key) {
            Some((_, current)) if cas != 0 && cas != *current => return Err(Status::CasMismatch),
            Some((old, _)) => key.len() + old.len() + ENTRY_OVERHEAD,
            None => 0,
        };
        let bytes = (data.bytes - old).saturating_add(key.len() + value.len() + ENTRY_OVERHEAD);
        if bytes > limits.shared_data_bytes {
            return Err(Status::InternalFailure);
        }
        let new = (Bytes::copy_from_slice(value), next(&self.cas));
        data.bytes = bytes;
        match data.entries.get_mut(key) {
            Some(entry) => *entry = new,
            None => drop(data.entries.insert(Bytes::copy_from_slice(key), new)),
        }
        Ok(())
    }

    /// The queue called `name`, made if need be, whose elements `consumer` hears of from now on.
    pub(crate) fn register_queue(&self, name: &[u8], consumer: Consumer, limits: &HostLimits) -> Result<u32, Status> {
        let mut queues = locked(&self.queues);
        let queue = match queues.get(name) {
            Some(queue) => Arc::clone(queue),
            None if queues.len() >= limits.queues => return Err(Status::InternalFailure),
            None => {
                let queue = self.registry.make();
                queues.insert(Bytes::copy_from_slice(name), Arc::clone(&queue));
                queue
            }
        };
        queue.bind(consumer);
        Ok(queue.token)
    }

    /// The token of the queue called `name`.
    pub(crate) fn resolve_queue(&self, name: &[u8]) -> Option<u32> {
        locked(&self.queues).get(name).map(|queue| queue.token)
    }
}

fn next(counter: &AtomicU32) -> u32 {
    loop {
        let value = counter.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if value != 0 {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn cas_guards_only_what_exists_and_never_is_zero() {
        let spaces = Spaces::default();
        let space = spaces.open("a");
        let limits = HostLimits::default();
        space.set(b"k", b"1", 77, &limits).unwrap();
        let (value, cas) = space.get(b"k").unwrap();
        assert_eq!((&value[..], cas), (&b"1"[..], 1));
        assert_eq!(space.set(b"k", b"2", 77, &limits), Err(Status::CasMismatch));
        space.set(b"k", b"2", cas, &limits).unwrap();
        space.set(b"k", b"3", 0, &limits).unwrap();
        assert_eq!(space.get(b"k").unwrap().1, 3);
        let wrap = AtomicU32::new(u32::MAX);
        assert_eq!(next(&wrap), 1);
    }

    #[test]
    fn data_is_bounded_and_replacing_frees() {
        let space = Spaces::default().open("a");
        let limits = HostLimits { shared_data_bytes: 100, ..HostLimits::default() };
        space.set(b"k", &[0; 35], 0, &limits).unwrap();
        assert_eq!(space.set(b"k", &[0; 36], 0, &limits), Err(Status::InternalFailure));
        assert_eq!(space.set(b"l", b"", 0, &limits), Err(Status::InternalFailure));
        space.set(b"k", b"", 0, &limits).unwrap();
        assert_eq!(space.get(b"k").unwrap().0.len(), 0);
    }

    #[test]
    fn a_space_lives_as_long_as_someone_has_it() {
        let spaces = Spaces::default();
        let space = spaces.open("a");
        space.set(b"k", b"v", 0, &HostLimits::default()).unwrap();
        assert!(spaces.open("a").get(b"k").is_some());
        drop(space);
        assert!(spaces.find(b"a").is_none());
        assert!(spaces.open("a").get(b"k").is_none());
    }
}
