//! The way to one control plane: a stream, or another one later, and whoever hears what comes on it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandgate_config::model::ApiConfig;
use sandgate_xds::{Delivery, DeltaMux, Mux, NodePolicy, Response, SotwMux, WatchId};

use super::back_off::BackOff;
use super::grpc::{Closed, Outgoing, connect};
use super::rate_limit::TokenBucket;
use super::refusals::Refusals;
use super::stats::ControlPlaneNumbers;
use super::subscriber::Subscriber;
use super::timer::Timer;
use super::{Names, Paused, ResourceType};
use crate::callouts::grpc::INTERNAL;
use crate::stats::StatsStore;
use crate::worker::Worker;

pub(super) struct Channel {
    worker: Rc<Worker>,
    config: Arc<ApiConfig>,
    /// The method that is called.
    path: String,
    stats: ControlPlaneNumbers,
    mux: RefCell<Box<dyn Mux>>,
    subscribers: RefCell<HashMap<WatchId, Rc<Subscriber>>>,
    /// The one that all share, whose requests wait while clusters or listeners are taken; this one, perhaps.
    ads: Weak<Self>,
    started: Cell<bool>,
    stream: RefCell<Option<Outgoing>>,
    /// Tells what comes on an earlier stream from what comes on this one.
    generation: Cell<u64>,
    back_off: Cell<BackOff>,
    /// How the last stream ended, if nothing has come since.
    last_end: RefCell<Option<Closed>>,
    bucket: RefCell<Option<TokenBucket>>,
    retry: RefCell<Option<Timer>>,
    drain: RefCell<Option<Timer>>,
    expiry: RefCell<Option<Timer>>,
    refusals: RefCell<Refusals>,
    /// Types that are paused because they were refused too often, until the timer.
    held: RefCell<HashMap<ResourceType, Timer>>,
    end: End,
}

/// Whether the server ends: nobody says anything to control planes then, whatever is torn down, and nobody listens.
#[derive(Clone, Default)]
pub(super) struct End(Rc<Cell<bool>>);

/// A subscriber's place on a channel. Dropped, it wants nothing any more.
pub(super) struct Place {
    channel: Rc<Channel>,
    watch: WatchId,
}

// === impl Channel ===

impl Channel {
    /// For all types.
    pub(super) fn shared(
        worker: &Rc<Worker>,
        store: &StatsStore,
        config: &Arc<ApiConfig>,
        (node, end): (Bytes, End),
    ) -> Rc<Self> {
        let method = if config.delta { "DeltaAggregatedResources" } else { "StreamAggregatedResources" };
        let path = format!("/envoy.service.discovery.v3.AggregatedDiscoveryService/{method}");
        Rc::new_cyclic(|own| Self::new(worker, store, config, (node, end), path, "", own.clone()))
    }

    /// For one subscription.
    pub(super) fn own(
        worker: &Rc<Worker>,
        store: &StatsStore,
        config: &Arc<ApiConfig>,
        (node, end): (Bytes, End),
        (kind, stat_prefix): (ResourceType, &str),
        ads: Weak<Self>,
    ) -> Rc<Self> {
        let path = format!("/{}/{}", kind.service(), kind.method(config.delta));
        Rc::new(Self::new(worker, store, config, (node, end), path, stat_prefix, ads))
    }

    fn new(
        worker: &Rc<Worker>,
        store: &StatsStore,
        config: &Arc<ApiConfig>,
        (node, end): (Bytes, End),
        path: String,
        stat_prefix: &str,
        ads: Weak<Self>,
    ) -> Self {
        let node = NodePolicy::new(node, config.set_node_on_first_message_only);
        let mux: Box<dyn Mux> = if config.delta { Box::new(DeltaMux::new(node)) } else { Box::new(SotwMux::new(node)) };
        let now = Instant::now();
        Self {
            worker: Rc::clone(worker),
            config: Arc::clone(config),
            path,
            stats: ControlPlaneNumbers::new(store, stat_prefix),
            mux: mux.into(),
            subscribers: RefCell::default(),
            ads,
            started: Cell::new(false),
            stream: RefCell::default(),
            generation: Cell::new(0),
            back_off: Cell::new(BackOff::new(config.back_off_base, config.back_off_max)),
            last_end: RefCell::default(),
            bucket: RefCell::new(config.rate_limit.map(|limit| TokenBucket::new(limit, now))),
            retry: RefCell::default(),
            drain: RefCell::default(),
            expiry: RefCell::default(),
            refusals: RefCell::default(),
            held: RefCell::default(),
            end,
        }
    }

    pub(super) fn subscribe(self: &Rc<Self>, kind: ResourceType, names: Names, subscriber: Rc<Subscriber>) -> Place {
        subscriber.attempted();
        let watch = self.mux.borrow_mut().subscribe(kind, names);
        self.subscribers.borrow_mut().insert(watch, subscriber);
        if self.started.replace(true) {
            self.send();
        } else {
            self.connect();
        }
        Place { channel: Rc::clone(self), watch }
    }

    pub(super) fn pause(&self, kind: ResourceType) {
        self.mux.borrow_mut().pause(kind);
    }

    pub(super) fn resume(self: &Rc<Self>, kind: ResourceType) {
        self.mux.borrow_mut().resume(kind);
        self.send();
    }

    /// Whether that is the number of the stream that is there.
    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.generation.get() == generation
    }

    fn connect(self: &Rc<Self>) {
        self.retry.take();
        if self.end.has_come() {
            return;
        }
        self.generation.set(self.generation.get() + 1);
        match connect(&self.worker, &self.config, &self.path, (self, self.generation.get())) {
            Ok(stream) => {
                self.stream.replace(Some(stream));
                self.stats.connected(true);
                self.mux.borrow_mut().opened();
                self.send();
            }
            Err(end) => self.on_end(end),
        }
    }

    /// The stream has ended, or none has begun. Another will, later.
    pub(super) fn on_end(self: &Rc<Self>, end: Closed) {
        self.generation.set(self.generation.get() + 1);
        self.stream.take();
        self.stats.connected(false);
        self.mux.borrow_mut().closed();
        self.stats.pending(0);
        self.log(end);
        let everybody: Vec<_> = self.subscribers.borrow().values().cloned().collect();
        for subscriber in everybody {
            subscriber.failed();
            subscriber.attempted();
        }
        let mut back_off = self.back_off.get();
        let (wait, channel) = (back_off.next(), Rc::downgrade(self));
        self.back_off.set(back_off);
        let retry = Timer::new("new stream to a control plane", wait, move || {
            if let Some(channel) = channel.upgrade() {
                channel.connect();
            }
        });
        self.retry.replace(Some(retry));
    }

    /// The same end again and again is told once.
    fn log(&self, end: Closed) {
        let again = self.last_end.borrow().as_ref() == Some(&end);
        let level = if again { log::Level::Debug } else { log::Level::Warn };
        let method = self.path.rsplit('/').next().unwrap_or_default();
        let Closed { status, message } = &end;
        log::log!(target: "config", level, "{method} gRPC config stream closed: {status}, {message}");
        self.last_end.replace(Some(end));
    }

    /// Sends all that is to be sent, as fast as it may be.
    fn send(self: &Rc<Self>) {
        if self.end.has_come() {
            return;
        }
        while self.mux.borrow().has_request() && self.may_send() {
            let Some(request) = self.mux.borrow_mut().next_request() else { break };
            if let Some(stream) = &*self.stream.borrow() {
                stream.send(&request);
            }
        }
        self.stats.pending(self.mux.borrow().queued());
    }

    fn may_send(self: &Rc<Self>) -> bool {
        let Some(bucket) = &mut *self.bucket.borrow_mut() else { return true };
        let Err(wait) = bucket.take(Instant::now()) else { return true };
        self.stats.stats.rate_limit_enforced().inc();
        self.drain.borrow_mut().get_or_insert_with(|| {
            let channel = Rc::downgrade(self);
            Timer::new("rate limit of a control plane", wait, move || {
                if let Some(channel) = channel.upgrade() {
                    channel.drain.take();
                    channel.send();
                }
            })
        });
        false
    }

    /// A message has come.
    pub(super) fn on_message(self: &Rc<Self>, message: Bytes) {
        if self.end.has_come() {
            return;
        }
        let mut back_off = self.back_off.get();
        back_off.reset();
        self.back_off.set(back_off);
        self.last_end.take();
        let received = self.mux.borrow_mut().receive(message);
        let received = match received {
            Ok(received) => received,
            Err(error) => {
                let message = format!("a message that is none: {error}");
                return self.on_end(Closed { status: INTERNAL, message });
            }
        };
        if let Some(identifier) = received.control_plane {
            self.stats.identifier.set(&identifier);
        }
        match received.response {
            Some(response) => self.on_response(response),
            None => log::debug!(target: "config", "a control plane sent resources that nobody has asked for"),
        }
        self.send();
    }

    fn on_response(self: &Rc<Self>, mut response: Response) {
        let kind = response.kind;
        let deliveries = std::mem::take(&mut response.deliveries);
        let as_a_whole = response.refused.is_some();
        let result = match response.refused.take() {
            Some(detail) => Err(detail),
            None => {
                let _waiting = Paused::new(self.ads.clone(), kind.paused_by_update());
                self.deliver(deliveries)
            }
        };
        if let Err(detail) = &result {
            log::warn!(target: "config", "gRPC config for {} rejected: {detail}", kind.type_url());
            let watches = self.mux.borrow().watches(kind);
            for subscriber in watches.into_iter().filter_map(|watch| self.subscriber(watch)) {
                subscriber.rejected();
                subscriber.attempted();
                if as_a_whole {
                    subscriber.refused(&response.version, detail);
                }
            }
            // The answers of the other protocol say what is there already, and nobody repeats that.
            let repeated = !self.config.delta;
            let wait = repeated.then(|| self.refusals.borrow_mut().refused(kind, &response.version)).flatten();
            wait.into_iter().for_each(|wait| self.hold(kind, wait));
        }
        let taken = result.is_ok();
        self.mux.borrow_mut().finish(response, result, Instant::now());
        if taken {
            self.refusals.borrow_mut().taken(kind);
            self.release(kind);
        }
        self.watch_expiry();
    }

    /// Says nothing of the type for that long.
    fn hold(self: &Rc<Self>, kind: ResourceType, wait: Duration) {
        let channel = Rc::downgrade(self);
        let timer = Timer::new("refusal of a type", wait, move || {
            if let Some(channel) = channel.upgrade() {
                channel.release(kind);
                channel.send();
            }
        });
        if self.held.borrow_mut().insert(kind, timer).is_none() {
            self.mux.borrow_mut().pause(kind);
        }
    }

    fn release(&self, kind: ResourceType) {
        let timer = self.held.borrow_mut().remove(&kind);
        if timer.is_some() {
            self.mux.borrow_mut().resume(kind);
        }
    }

    /// Tells everybody, until somebody refuses.
    fn deliver(&self, deliveries: Vec<Delivery>) -> Result<(), String> {
        for Delivery { watch, update } in deliveries {
            // It may have gone because of what another was told.
            let Some(subscriber) = self.subscriber(watch) else { continue };
            // Envoy counts a difference that is refused twice, here and as what is refused.
            if update.is_delta {
                subscriber.attempted();
            }
            subscriber.deliver(&update)?;
            if !update.is_delta {
                subscriber.attempted();
            }
        }
        Ok(())
    }

    fn subscriber(&self, watch: WatchId) -> Option<Rc<Subscriber>> {
        self.subscribers.borrow().get(&watch).cloned()
    }

    fn watch_expiry(self: &Rc<Self>) {
        let next = self.mux.borrow().next_expiry();
        let timer = next.map(|next| {
            let channel = Rc::downgrade(self);
            let wait = next.saturating_duration_since(Instant::now());
            Timer::new("end of a resource", wait, move || {
                if let Some(channel) = channel.upgrade() {
                    channel.expire();
                }
            })
        });
        self.expiry.replace(timer);
    }

    fn expire(self: &Rc<Self>) {
        let over = self.mux.borrow_mut().expire(Instant::now());
        if let Err(detail) = self.deliver(over) {
            log::warn!(target: "config", "a resource that is over is still in use: {detail}");
        }
        self.watch_expiry();
        self.send();
    }
}

// === impl End ===

impl End {
    pub(super) fn come(&self) {
        self.0.set(true);
    }

    fn has_come(&self) -> bool {
        self.0.get()
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        // What goes with the subscriber may be another place here.
        let subscriber = self.channel.subscribers.borrow_mut().remove(&self.watch);
        self.channel.mux.borrow_mut().unsubscribe(self.watch);
        self.channel.send();
        drop(subscriber);
    }
}
