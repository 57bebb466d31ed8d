//! Keeping to the size limit: what was not used for longest goes first.

use std::sync::{Mutex, PoisonError};

use super::directory::Directory;

/// Accounts for an entry that was written, and removes others while there is too much. Answers how many.
///
/// Other processes' entries count from the next look at the directory, which is taken when our own count says that it is full.
pub(super) fn make_room(
    directory: &Directory,
    used_bytes: &Mutex<Option<u64>>,
    max_bytes: u64,
    written: &str,
    size: u64,
) -> u64 {
    let mut used = used_bytes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = *used
        && known.saturating_add(size) <= max_bytes
    {
        *used = Some(known.saturating_add(size));
        return 0;
    }
    let Ok(mut entries) = directory.list() else { return 0 };
    let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut evicted = 0;
    if total > max_bytes {
        entries.sort_by_key(|entry| entry.used);
        for entry in entries.iter().filter(|entry| entry.name != written) {
            if total <= max_bytes {
                break;
            }
            // Who has it mapped keeps it.
            if directory.remove(&entry.name).is_ok() {
                total = total.saturating_sub(entry.bytes);
                evicted += 1;
            }
        }
    }
    *used = Some(total);
    evicted
}
