//! Contexts made anew when their files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use sandgate_tls::ServerContext;

use super::{ListenerTls, uses_sds};
use crate::stats::{SslSocketFactoryStats, StatsStore};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// What tells that a file is another one: through links, so that a link that points elsewhere counts too.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    path: PathBuf,
    facts: Option<(SystemTime, u64, u64)>,
}

// === impl Fingerprint ===

impl Fingerprint {
    fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(path).ok();
        let facts = metadata.and_then(|found| Some((found.modified().ok()?, found.len(), found.ino())));
        Self { path: path.to_owned(), facts }
    }
}

/// One listener's TLS, watched.
struct Watched {
    tls: Weak<ListenerTls>,
    seen: Vec<Fingerprint>,
    stats: SslSocketFactoryStats,
}

/// Looks after the files of all these until they are gone. What cannot be used changes nothing, and is tried again when it changes.
pub(crate) async fn keep_fresh(all: Vec<Arc<ListenerTls>>, store: Arc<StatsStore>) {
    let watch = |tls: &Arc<ListenerTls>| {
        let stats = SslSocketFactoryStats::new(&store, &format!("{}server_ssl_socket_factory.", tls.scope));
        let seen = tls.files().iter().map(|path| Fingerprint::of(path)).collect();
        Watched { tls: Arc::downgrade(tls), seen, stats }
    };
    let mut watched: Vec<_> = all.iter().map(watch).filter(|watched| !watched.seen.is_empty()).collect();
    drop(all);
    while !watched.is_empty() {
        tokio::time::sleep(INTERVAL).await;
        watched.retain_mut(Watched::look);
    }
}

// === impl Watched ===

impl Watched {
    /// Whether there is anything to look after any more.
    fn look(&mut self) -> bool {
        let Some(tls) = self.tls.upgrade() else { return false };
        let now: Vec<_> = self.seen.iter().map(|seen| Fingerprint::of(&seen.path)).collect();
        if now == self.seen {
            return true;
        }
        match ServerContext::load(&tls.config) {
            Ok(context) => {
                log::info!(target: "config", "{}ssl: certificates have changed", tls.scope);
                tls.context.store(Some(Arc::new(context)));
                if uses_sds(&tls.config) {
                    self.stats.ssl_context_update_by_sds().inc();
                }
            }
            Err(error) => {
                log::warn!(target: "config", "{}ssl: changed files cannot be used, what was read before stays: {error}", tls.scope);
            }
        }
        // The files may name others now.
        self.seen = tls.files().iter().map(|path| Fingerprint::of(path)).collect();
        true
    }
}
