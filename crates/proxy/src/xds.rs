//! Resources from control planes and files, on the main thread.
//!
//! Whoever wants resources [subscribes](XdsClient::subscribe) and is told of updates, later and synchronously; what it answers is
//! what the control plane hears. Nobody is told anything from inside a call to this module.

mod back_off;
mod channel;
mod file;
mod file_watch;
mod grpc;
mod paused;
mod rate_limit;
mod receiver;
mod refusals;
mod stats;
mod subscriber;
#[cfg(test)]
mod tests;
mod timer;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_config::model::{ApiConfig, ConfigSource, ConfigSourceKind};
pub(crate) use sandgate_xds::{Names, ResourceType, Update};

pub(crate) use self::paused::Paused;

use self::channel::{Channel, End, Place};
use self::file::FileSource;
use self::subscriber::Subscriber;
use crate::resource_status::ResourceStatuses;
use crate::stats::StatsStore;
use crate::worker::Worker;

/// Who is told of resources.
pub(crate) trait SubscriptionCallbacks {
    /// New resources. With the state of the world they are all there are of clusters and listeners, and of other types those
    /// subscribed to that the control plane has sent.
    ///
    /// # Errors
    /// Why they are refused: the control plane is told so, and nothing of the update holds. Nobody asks again whether others may
    /// go on that wait for the first update; they are to go on then.
    fn on_update(&self, update: &Update) -> Result<(), String>;

    /// Nothing has come in time (`initial_fetch_timeout`), or the source cannot be asked. At most once, and never after an update.
    fn on_fetch_timeout(&self);
}

/// Everybody who is asked for resources.
pub(crate) struct XdsClient {
    worker: Rc<Worker>,
    store: Arc<StatsStore>,
    /// An `envoy.config.core.v3.Node`.
    node: Bytes,
    /// The stream that all share.
    ads: Option<Rc<Channel>>,
    /// That of the server.
    end: End,
    statuses: Arc<ResourceStatuses>,
}

/// Resources that somebody wants. Dropped, it wants them no more.
pub(crate) struct Subscription(#[expect(dead_code, reason = "it works as long as it is there")] Source);

#[expect(dead_code, reason = "what is in them works as long as it is there")]
enum Source {
    Grpc(Place),
    File(FileSource),
    Nobody,
}

// === impl XdsClient ===

impl XdsClient {
    /// On the main thread's worker. `ads` is the control plane of the bootstrap, which is asked once there is somebody to ask for; its
    /// cluster must be there by then.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        store: &Arc<StatsStore>,
        node: Bytes,
        ads: Option<&Arc<ApiConfig>>,
    ) -> Rc<Self> {
        let end = End::default();
        let ads = ads.map(|config| Channel::shared(worker, store, config, (node.clone(), end.clone())));
        let statuses = Arc::default();
        Rc::new(Self { worker: Rc::clone(worker), store: Arc::clone(store), node, ads, end, statuses })
    }

    /// What has become of all resources.
    pub(crate) fn statuses(&self) -> &Arc<ResourceStatuses> {
        &self.statuses
    }

    /// Subscribes to resources of a type. `stat_prefix` is that of the subscription's stats and ends with a dot. The result is
    /// to be kept. Call inside a `LocalSet`.
    pub(crate) fn subscribe(
        self: &Rc<Self>,
        source: &ConfigSource,
        kind: ResourceType,
        names: Names,
        stat_prefix: &str,
        callbacks: Rc<dyn SubscriptionCallbacks>,
    ) -> Subscription {
        let status = self.statuses.subscribe(kind, &names);
        let subscriber = Subscriber::new(&self.store, stat_prefix, status, callbacks);
        Subscription(match (&source.kind, &self.ads) {
            (ConfigSourceKind::Path { path, watched_directory }, ads) => {
                let ads = ads.as_ref().map(Rc::downgrade).unwrap_or_default();
                Source::File(FileSource::new(path, watched_directory.as_deref(), kind, subscriber, ads))
            }
            (ConfigSourceKind::Grpc(config), ads) => {
                let ads = ads.as_ref().map(Rc::downgrade).unwrap_or_default();
                let with = (self.node.clone(), self.end.clone());
                let channel = Channel::own(&self.worker, &self.store, config, with, (kind, stat_prefix), ads);
                subscriber.wait(source.initial_fetch_timeout);
                Source::Grpc(channel.subscribe(kind, names, subscriber))
            }
            (ConfigSourceKind::Ads, Some(channel)) => {
                subscriber.wait(source.initial_fetch_timeout);
                Source::Grpc(channel.subscribe(kind, names, subscriber))
            }
            (ConfigSourceKind::Ads, None) => {
                // The configuration is refused that says so.
                subscriber.wait(Some(std::time::Duration::ZERO));
                Source::Nobody
            }
        })
    }

    /// Requests of that type wait, acknowledgements too, on the stream that all share, until what this gives is dropped.
    pub(crate) fn pause(&self, kind: ResourceType) -> Paused {
        Paused::new(self.ads.as_ref().map(Rc::downgrade).unwrap_or_default(), &[kind])
    }
    /// The server ends: control planes hear nothing more, and what they still say has no effect. To be called before anything
    /// is torn down, which would otherwise be told them as if the configuration had changed.
    pub(crate) fn close(&self) {
        self.end.come();
    }
}
