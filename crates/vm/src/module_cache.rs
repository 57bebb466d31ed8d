//! Compiled modules on disk, so that a restart need not compile them again.
//!
//! An entry is a file of its own, named after its [`Key`]: what was compiled, by which engine, set up how. Its content is code that
//! the process will run, so three things stand between the disk and the engine:
//!
//! - Directory and entries must belong to us or to root, and nobody else may write them. That is checked on the descriptor that is then
//!   read and mapped, so there is nothing to swap in between. Entries are opened without following links.
//! - The digest in an entry must be that of its content. It guards against broken disks and files cut short, not against attackers: who
//!   can write as us needs no cache to run code as us.
//! - The engine checks that an artifact was made by its own version for this processor.
//!
//! Entries are written under another name and moved into place, so that a reader sees a whole one or none, however many processes write.
//! An entry that cannot be used is a miss: the module is compiled and the entry replaced.

mod directory;
mod entry;
mod error;
mod evict;
mod key;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use self::directory::Directory;
pub(crate) use self::entry::Entry;
pub use self::error::ModuleCacheError;
pub(crate) use self::key::Key;

/// A directory of compiled modules. One per process; many processes may share the directory.
#[derive(Debug)]
pub struct ModuleCache {
    directory: Directory,
    max_bytes: u64,
    /// What the directory holds as far as we know; nothing before the first look.
    used_bytes: Mutex<Option<u64>>,
    counts: Counts,
}

/// What became of the modules that were asked for, since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleCacheCounts {
    /// Taken from the directory.
    pub hits: u64,
    /// Not there, or of no use: compiled.
    pub misses: u64,
    /// Those of the misses that were there, but broken, not ours, or made for another machine.
    pub rejected: u64,
    /// Entries written.
    pub stored: u64,
    /// Entries that could not be written. The module runs all the same.
    pub store_failures: u64,
    /// Entries removed to keep to the size limit.
    pub evicted: u64,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
    stored: AtomicU64,
    store_failures: AtomicU64,
    evicted: AtomicU64,
}

// === impl ModuleCache ===

impl ModuleCache {
    /// How much a cache may hold if nobody says otherwise: 512 MiB. A Rust plugin takes about 0.5 MB, one of Go's compiler 8 MB.
    pub const DEFAULT_MAX_BYTES: u64 = 512 << 20;

    /// Opens the directory, and makes it (mode 0700) if it is not there.
    ///
    /// # Errors
    /// It cannot be made or opened, belongs to somebody else than us or root, or others may write to it.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, ModuleCacheError> {
        let directory = Directory::open(path)?;
        Ok(Self { directory, max_bytes, used_bytes: Mutex::new(None), counts: Counts::default() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What has been counted.
    #[must_use]
    pub fn counts(&self) -> ModuleCacheCounts {
        let Counts { hits, misses, rejected, stored, store_failures, evicted } = &self.counts;
        ModuleCacheCounts {
            hits: hits.load(Relaxed),
            misses: misses.load(Relaxed),
            rejected: rejected.load(Relaxed),
            stored: stored.load(Relaxed),
            store_failures: store_failures.load(Relaxed),
            evicted: evicted.load(Relaxed),
        }
    }

    /// Looks for an entry and has `load` make a module of it. Whatever is wrong with it, the answer is none, and the caller compiles.
    pub(crate) fn find<T, E>(&self, key: &Key, load: impl FnOnce(Entry) -> Result<T, E>) -> Option<T> {
        let found = match self.directory.open_entry(&key.file_name()) {
            Ok(file) => Entry::verify(file, key).ok().and_then(|entry| load(entry).ok()),
            Err(rustix::io::Errno::NOENT) => {
                self.counts.misses.fetch_add(1, Relaxed);
                return None;
            }
            Err(_) => None,
        };
        if found.is_some() {
            self.counts.hits.fetch_add(1, Relaxed);
        } else {
            self.counts.misses.fetch_add(1, Relaxed);
            self.counts.rejected.fetch_add(1, Relaxed);
        }
        found
    }

    /// Keeps an artifact, if that can be done; the entry is the one that was written.
    pub(crate) fn store(&self, key: &Key, artifact: &[u8]) -> Option<Entry> {
        let size = Entry::size(artifact);
        if size > self.max_bytes {
            self.counts.store_failures.fetch_add(1, Relaxed);
            return None;
        }
        let write = |file: &mut File| Entry::write(file, key, artifact);
        let Ok(file) = self.directory.write_entry(&key.file_name(), write) else {
            self.counts.store_failures.fetch_add(1, Relaxed);
            return None;
        };
        self.counts.stored.fetch_add(1, Relaxed);
        let evicted = evict::make_room(&self.directory, &self.used_bytes, self.max_bytes, &key.file_name(), size);
        self.counts.evicted.fetch_add(evicted, Relaxed);
        Some(Entry::written(file, artifact))
    }
}

/// Where a user's cache is: `$CACHE_DIRECTORY` (systemd's `CacheDirectory=`), else `sandgate` under `$XDG_CACHE_HOME`, else under
/// `~/.cache`. Nothing if none of these is an absolute path. `variable` reads the environment.
pub fn default_cache_path(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd separates several by colons.
    let given = variable("CACHE_DIRECTORY").and_then(|list| list.into_string().ok());
    let given = given.and_then(|list| list.split(':').next().map(PathBuf::from)).filter(|path| path.is_absolute());
    let own = || {
        let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(caches.join("sandgate"))
    };
    Some(given.or_else(own)?.join("modules"))
}

#[cfg(test)]
mod tests;
