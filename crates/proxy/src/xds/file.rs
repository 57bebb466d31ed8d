//! Resources from a file, which is read again whenever it was replaced.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use sandgate_config::{DiscoveryFile, read_discovery_file};
use sandgate_xds::{Any, read_resource};
use tokio::task::AbortHandle;

use super::channel::Channel;
use super::file_watch::FileWatch;
use super::subscriber::Subscriber;
use super::{Paused, ResourceType, Update};
use crate::worker::guarded;

/// A file that is looked after until this is dropped.
pub(super) struct FileSource(AbortHandle);

struct Reader {
    path: PathBuf,
    watched_directory: Option<PathBuf>,
    kind: ResourceType,
    subscriber: Rc<Subscriber>,
    /// Its requests wait while clusters or listeners are taken.
    ads: Weak<Channel>,
}

impl FileSource {
    /// Call inside a `LocalSet`.
    pub(super) fn new(
        path: &str,
        watched_directory: Option<&str>,
        kind: ResourceType,
        subscriber: Rc<Subscriber>,
        ads: Weak<Channel>,
    ) -> Self {
        let watched_directory = watched_directory.map(PathBuf::from);
        let reader = Reader { path: PathBuf::from(path), watched_directory, kind, subscriber, ads };
        Self(tokio::task::spawn_local(guarded("file of resources", reader.run())).abort_handle())
    }
}

impl Drop for FileSource {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    async fn run(self) {
        // Before it is read: a move in between is then seen later.
        let watch = match &self.watched_directory {
            Some(directory) => FileWatch::of_directory(directory),
            None => FileWatch::of_file(&self.path),
        };
        if !self.refresh() {
            self.subscriber.unavailable();
        }
        let Err(error) = self.follow(watch).await;
        log::warn!(target: "config", "{}: changes will not be seen: {error}", self.path.display());
    }

    /// Never ends well.
    async fn follow(&self, watch: io::Result<FileWatch>) -> io::Result<Infallible> {
        let watch = watch?;
        loop {
            watch.moved().await?;
            self.refresh();
        }
    }

    /// Reads it. Whether the subscriber was told; what it has refused is counted, and what was there before stays.
    fn refresh(&self) -> bool {
        self.subscriber.attempted();
        let file = match read_discovery_file(&self.path) {
            Ok(file) => file,
            Err(error) => {
                log::warn!(target: "config", "Filesystem config update failure: {error}");
                self.subscriber.failed();
                return false;
            }
        };
        let (told, result) = match self.update(file) {
            Ok(update) => {
                let _waiting = Paused::new(self.ads.clone(), self.kind.paused_by_update());
                (true, self.subscriber.deliver(&update))
            }
            Err(detail) => {
                self.subscriber.refused("", &detail);
                (false, Err(detail))
            }
        };
        if let Err(detail) = result {
            log::warn!(target: "config", "Filesystem config update rejected: {}: {detail}", self.path.display());
            self.subscriber.rejected();
        }
        told
    }

    fn update(&self, file: DiscoveryFile) -> Result<Update, String> {
        let each = file
            .resources
            .into_iter()
            .map(|(type_url, value)| read_resource(self.kind, Any { type_url, value }, &file.version_info));
        Ok(Update {
            resource_type: self.kind,
            resources: each.collect::<Result<_, _>>()?,
            version: file.version_info,
            removed: Vec::new(),
            is_delta: false,
        })
    }
}
