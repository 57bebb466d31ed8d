//! Compiled modules on disk: found again, never trusted blindly, bounded in size.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use sandgate_vm::{Engine, ModuleCache, ModuleCacheCounts, ModuleCacheError, WasmtimeEngine};

use crate::recorder::Recorder;
use crate::support::{ALL, IMPORT_LOG, TICK, limits, module, on_tick};

/// A directory of its own for each test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sandgate-module-cache-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// What another process would see.
    fn open(&self) -> (WasmtimeEngine<Recorder>, Arc<ModuleCache>) {
        self.open_with(ModuleCache::DEFAULT_MAX_BYTES)
    }

    fn open_with(&self, max_bytes: u64) -> (WasmtimeEngine<Recorder>, Arc<ModuleCache>) {
        let cache = Arc::new(ModuleCache::open(&self.0, max_bytes).unwrap());
        (WasmtimeEngine::new().unwrap().with_cache(Arc::clone(&cache)), cache)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<_> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    }

    fn entry(&self) -> PathBuf {
        let [entry] = self.entries().try_into().unwrap();
        entry
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A guest that logs this when it ticks.
fn guest(says: &str) -> Vec<u8> {
    let data = format!(r#"(data (i32.const 16) "{says}")"#);
    let tick = on_tick(&format!("(drop (call $log (i32.const 1) (i32.const 16) (i32.const {})))", says.len()));
    wat::parse_str(module(IMPORT_LOG, &format!("{data}{tick}"))).unwrap()
}

/// Loads the guest and has it speak.
fn hear(engine: &WasmtimeEngine<Recorder>, says: &str) {
    let host = Recorder::default();
    let module = engine.compile(&guest(says)).unwrap();
    let mut vm = module.instantiate(host.clone(), &limits(), &ALL).unwrap();
    vm.start().unwrap();
    vm.call(TICK).unwrap();
    assert_eq!(host.take_reports(), [says.as_bytes()]);
}

#[test]
fn what_was_compiled_is_found_by_the_next_process() {
    let folder = Folder::new();
    let (engine, cache) = folder.open();
    hear(&engine, "hello");
    assert_eq!(cache.counts(), ModuleCacheCounts { misses: 1, stored: 1, ..ModuleCacheCounts::default() });
    let (engine, cache) = folder.open();
    hear(&engine, "hello");
    assert_eq!(cache.counts(), ModuleCacheCounts { hits: 1, ..ModuleCacheCounts::default() });
    // Another module is another entry.
    hear(&engine, "other");
    assert_eq!(folder.entries().len(), 2);
    for path in folder.entries() {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    assert_eq!(folder.0.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn modules_that_are_refused_are_not_kept() {
    let folder = Folder::new();
    let (engine, _cache) = folder.open();
    for bad in [wat::parse_str("(module)").unwrap(), wat::parse_str(module("", "(func (result i32) nop)")).unwrap()] {
        assert!(engine.compile(&bad).is_err());
    }
    assert_eq!(folder.entries(), [] as [PathBuf; 0]);
}

/// Spoils the entry; the guest must run all the same, from a new entry that is good again.
fn recovers_from(what: &str, spoil: impl Fn(&Path)) {
    let folder = Folder::new();
    hear(&folder.open().0, "hello");
    spoil(&folder.entry());
    let (engine, cache) = folder.open();
    hear(&engine, "hello");
    let expected = ModuleCacheCounts { misses: 1, rejected: 1, stored: 1, ..ModuleCacheCounts::default() };
    assert_eq!(cache.counts(), expected, "{what}");
    let (engine, cache) = folder.open();
    hear(&engine, "hello");
    assert_eq!(cache.counts().hits, 1, "{what}");
}

#[test]
fn broken_entries_are_compiled_again() {
    let size = {
        let folder = Folder::new();
        hear(&folder.open().0, "hello");
        fs::read(folder.entry()).unwrap().len()
    };
    // Of the ELF header, the code, the key, the digest, the length and the mark.
    for at in [0, 5, size / 2, size - 80, size - 40, size - 10, size - 1] {
        recovers_from(&format!("byte {at} of {size}"), |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[at] ^= 1;
            fs::write(path, bytes).unwrap();
        });
    }
    for length in [0, 79, 80, size / 2, size - 1] {
        recovers_from(&format!("{length} of {size} bytes"), |path| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length as u64).unwrap();
        });
    }
    recovers_from("bytes too many", |path| {
        let mut bytes = fs::read(path).unwrap();
        bytes.push(0);
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn an_entry_of_another_module_is_not_taken() {
    recovers_from("another module's entry", |path| {
        let other = Folder::new();
        hear(&other.open().0, "other");
        fs::copy(other.entry(), path).unwrap();
    });
}

#[test]
fn entries_that_others_could_have_written_are_not_taken() {
    recovers_from("a link", |path| {
        let elsewhere = path.with_extension("elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        symlink(&elsewhere, path).unwrap();
    });
    recovers_from("writable by the group", |path| fs::set_permissions(path, Permissions::from_mode(0o620)).unwrap());
    recovers_from("writable by all", |path| fs::set_permissions(path, Permissions::from_mode(0o602)).unwrap());
    recovers_from("a pipe", |path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    });
    // Only root can give a file away.
    if rustix::process::geteuid().is_root() {
        recovers_from("somebody else's", |path| chown(path, Some(12_345), None).unwrap());
    }
}

#[test]
fn directories_that_others_could_write_to_are_refused() {
    for mode in [0o777, 0o1777, 0o770] {
        let folder = Folder::new();
        fs::create_dir(&folder.0).unwrap();
        fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        let error = ModuleCache::open(&folder.0, 1).unwrap_err();
        assert!(matches!(error, ModuleCacheError::Mode { mode: found, .. } if found == mode), "{error}");
    }
    let folder = Folder::new();
    fs::write(&folder.0, "").unwrap();
    assert!(matches!(ModuleCache::open(&folder.0, 1), Err(ModuleCacheError::Open { .. })));
    fs::remove_file(&folder.0).unwrap();
    if rustix::process::geteuid().is_root() {
        fs::create_dir(&folder.0).unwrap();
        chown(&folder.0, Some(12_345), None).unwrap();
        let error = ModuleCache::open(&folder.0, 1).unwrap_err();
        assert!(matches!(error, ModuleCacheError::Owner { owner: 12_345, .. }), "{error}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_nothing_but_time() {
    let folder = Folder::new();
    let (engine, cache) = folder.open();
    fs::remove_dir(&folder.0).unwrap();
    hear(&engine, "hello");
    let expected = ModuleCacheCounts { misses: 1, store_failures: 1, ..ModuleCacheCounts::default() };
    assert_eq!(cache.counts(), expected);
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let folder = Folder::new();
    hear(&folder.open().0, "one");
    let size = folder.entry().metadata().unwrap().len();
    let age = |path: &Path, seconds| {
        let file = fs::File::open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    let one = folder.entry();
    age(&one, 300);
    hear(&folder.open().0, "two");
    let two = folder.entries().into_iter().find(|path| *path != one).unwrap();
    age(&two, 200);
    // Left behind by a process that was killed, and by one that is at it.
    let (abandoned, unfinished) = (folder.0.join(".unfinished-1"), folder.0.join(".unfinished-2"));
    fs::write(&abandoned, "").unwrap();
    fs::write(&unfinished, "").unwrap();
    age(&abandoned, 86_400);
    // Room for two and a half: the third drives one out, and what was just used is not it.
    let (engine, cache) = folder.open_with(size * 5 / 2);
    hear(&engine, "one");
    hear(&engine, "three");
    assert_eq!(cache.counts(), ModuleCacheCounts { hits: 1, misses: 1, stored: 1, evicted: 1, ..cache.counts() });
    assert!(one.exists() && !two.exists() && unfinished.exists() && !abandoned.exists());
    hear(&engine, "four");
    assert_eq!(cache.counts().evicted, 2);
    // One that alone is too large is not kept at all.
    let (engine, cache) = folder.open_with(size / 2);
    hear(&engine, "five");
    assert_eq!((cache.counts().stored, cache.counts().evicted), (0, 0));
}

#[test]
fn many_may_write_at_once() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (engine, cache) = folder.open();
                for says in ["one", "two", "three"] {
                    hear(&engine, says);
                }
                assert_eq!((cache.counts().rejected, cache.counts().store_failures), (0, 0));
            });
        }
    });
    assert_eq!(folder.entries().len(), 3, "{:?}", folder.entries());
    let (engine, cache) = folder.open();
    for says in ["one", "two", "three"] {
        hear(&engine, says);
    }
    assert_eq!(cache.counts(), ModuleCacheCounts { hits: 3, ..ModuleCacheCounts::default() });
}
