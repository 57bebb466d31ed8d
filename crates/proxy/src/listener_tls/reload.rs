//! Contexts made anew when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use sandgate_tls::TlsError;

use super::{ListenerTls, uses_sds};
use crate::stats::{SslSocketFactoryStats, StatsStore};

/// How often files are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// What tells that a file is another one: through links, so that a link that points elsewhere counts too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    path: PathBuf,
    facts: Option<(SystemTime, u64, u64)>,
}

// === impl Fingerprint ===

impl Fingerprint {
    /// Those of `paths`, taken before they are read: a change in between is then seen later.
    pub(crate) fn all(paths: Vec<PathBuf>) -> Vec<Self> {
        paths.iter().map(|path| Self::of(path)).collect()
    }

    /// Whether the file is still that one.
    pub(crate) fn is_current(&self) -> bool {
        *self == Self::of(&self.path)
    }

    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(path).ok();
        let facts = metadata.and_then(|found| Some((found.modified().ok()?, found.len(), found.ino())));
        Self { path: path.to_owned(), facts }
    }
}

/// TLS of a listener or a cluster, made of files.
pub(crate) trait Reloadable {
    /// Of its stats; ends with a dot.
    fn scope(&self) -> &str;
    /// What makes its contexts, in stats.
    fn factory(&self) -> &'static str;
    /// The files it depends on, as they were before they were last read.
    fn seen(&self) -> Vec<Fingerprint>;
    /// Whether it uses secrets, which may name other files later.
    fn uses_sds(&self) -> bool;
    /// Makes its context anew. It has seen the files then, also if they cannot be used.
    fn reload(&self) -> Result<(), TlsError>;
}

/// One of these, watched.
struct Watched {
    tls: Weak<dyn Reloadable>,
    stats: SslSocketFactoryStats,
}

/// Looks after the files of all these until they are gone. What cannot be used changes nothing, and is tried again when it changes.
pub(crate) async fn keep_fresh(all: Vec<Arc<dyn Reloadable>>, store: Arc<StatsStore>) {
    let may_change = |tls: &&Arc<dyn Reloadable>| tls.uses_sds() || !tls.seen().is_empty();
    let mut watched: Vec<_> = all.iter().filter(may_change).map(|tls| Watched::new(tls, &store)).collect();
    drop(all);
    while !watched.is_empty() {
        tokio::time::sleep(INTERVAL).await;
        watched.retain(Watched::look);
    }
}

// === impl ListenerTls ===

impl Reloadable for ListenerTls {
    fn scope(&self) -> &str {
        &self.scope
    }

    fn factory(&self) -> &'static str {
        "server_ssl_socket_factory"
    }

    fn seen(&self) -> Vec<Fingerprint> {
        self.made_of().seen.clone()
    }

    fn uses_sds(&self) -> bool {
        uses_sds(&self.config)
    }

    fn reload(&self) -> Result<(), TlsError> {
        let told = self.made_of().told.clone();
        let (seen, context) = self.make(&told);
        self.made_of().seen = seen;
        if let Some(context) = context? {
            self.context.store(Some(context));
        }
        Ok(())
    }
}

// === impl Watched ===

impl Watched {
    fn new(tls: &Arc<dyn Reloadable>, store: &StatsStore) -> Self {
        let stats = SslSocketFactoryStats::new(store, &format!("{}{}.", tls.scope(), tls.factory()));
        Self { tls: Arc::downgrade(tls), stats }
    }

    /// Whether there is anything to look after any more.
    fn look(&self) -> bool {
        let Some(tls) = self.tls.upgrade() else { return false };
        if tls.seen().iter().all(Fingerprint::is_current) {
            return true;
        }
        match tls.reload() {
            Ok(()) => {
                log::info!(target: "config", "{}ssl: certificates have changed", tls.scope());
                if tls.uses_sds() {
                    self.stats.ssl_context_update_by_sds().inc();
                }
            }
            Err(error) => {
                log::warn!(target: "config", "{}ssl: changed files cannot be used, what was read before stays: {error}", tls.scope());
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

    use std::sync::Mutex;

    use super::*;

    /// Made of one file; every load reads it.
    struct OneFile {
        path: PathBuf,
        seen: Mutex<Vec<Fingerprint>>,
        loaded: Mutex<Option<String>>,
    }

    impl OneFile {
        fn load(path: PathBuf) -> Arc<Self> {
            let seen = Mutex::new(Fingerprint::all(vec![path.clone()]));
            let loaded = Mutex::new(std::fs::read_to_string(&path).ok());
            Arc::new(Self { path, seen, loaded })
        }
    }

    impl Reloadable for OneFile {
        fn scope(&self) -> &'static str {
            "listener.l."
        }
        fn factory(&self) -> &'static str {
            "server_ssl_socket_factory"
        }
        fn seen(&self) -> Vec<Fingerprint> {
            self.seen.lock().unwrap().clone()
        }
        fn uses_sds(&self) -> bool {
            true
        }
        fn reload(&self) -> Result<(), TlsError> {
            *self.seen.lock().unwrap() = Fingerprint::all(vec![self.path.clone()]);
            *self.loaded.lock().unwrap() = Some(std::fs::read_to_string(&self.path).unwrap());
            Ok(())
        }
    }

    #[test]
    fn a_change_before_the_watch_begins_is_seen() {
        let path = std::env::temp_dir().join(format!("sandgate-reload-{}", std::process::id()));
        let tls = OneFile::load(path.clone());
        assert_eq!(tls.loaded.lock().unwrap().take(), None);
        std::fs::write(&path, "late").unwrap();
        let tls_of_trait: Arc<dyn Reloadable> = Arc::clone(&tls) as _;
        let store = StatsStore::new();
        let watched = Watched::new(&tls_of_trait, &store);
        assert!(watched.look());
        assert_eq!(tls.loaded.lock().unwrap().take().as_deref(), Some("late"));
        assert!(watched.look());
        assert_eq!(tls.loaded.lock().unwrap().take(), None, "read again without a change");
        drop((tls, tls_of_trait));
        assert!(!watched.look());
        std::fs::remove_file(path).unwrap();
    }
}
