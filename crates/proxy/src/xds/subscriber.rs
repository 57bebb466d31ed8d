//! Somebody who wants resources, with its stats and its first wait.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::stats::SubscriptionNumbers;
use super::timer::Timer;
use super::{SubscriptionCallbacks, Update};
use crate::resource_status::SubscriptionStatus;
use crate::stats::StatsStore;

pub(super) struct Subscriber {
    callbacks: Rc<dyn SubscriptionCallbacks>,
    stats: SubscriptionNumbers,
    status: SubscriptionStatus,
    /// Ends the wait for a first answer.
    timer: RefCell<Option<Timer>>,
}

impl Subscriber {
    pub(super) fn new(
        store: &StatsStore,
        stat_prefix: &str,
        status: SubscriptionStatus,
        callbacks: Rc<dyn SubscriptionCallbacks>,
    ) -> Rc<Self> {
        let stats = SubscriptionNumbers::new(store, stat_prefix);
        Rc::new(Self { callbacks, stats, status, timer: RefCell::default() })
    }

    /// Waits so long for a first answer, for ever without a limit.
    pub(super) fn wait(self: &Rc<Self>, limit: Option<Duration>) {
        let Some(limit) = limit else { return };
        let subscriber = Rc::downgrade(self);
        let timer = Timer::new("initial fetch timer", limit, move || {
            if let Some(subscriber) = subscriber.upgrade() {
                subscriber.stats.timed_out();
                subscriber.stats.attempted();
                subscriber.status.timed_out();
                subscriber.callbacks.on_fetch_timeout();
            }
        });
        self.timer.replace(Some(timer));
    }

    /// Asks, for the stats.
    pub(super) fn attempted(&self) {
        self.stats.attempted();
    }

    /// Tells of an update.
    ///
    /// # Errors
    /// What the subscriber says.
    pub(super) fn deliver(&self, update: &Update) -> Result<(), String> {
        self.stop_timer();
        let begun = Instant::now();
        let result = self.callbacks.on_update(update);
        self.status.told(update, &result);
        result?;
        self.stats.accepted(&update.version, begun.elapsed());
        Ok(())
    }

    /// The stream broke, or the file could not be read.
    pub(super) fn failed(&self) {
        self.stats.failed();
    }

    /// An update was refused, if not by this subscriber.
    pub(super) fn rejected(&self) {
        self.stop_timer();
        self.stats.rejected();
    }

    /// A response was refused before anybody was told of it.
    pub(super) fn refused(&self, version: &str, details: &str) {
        self.status.refused(version, details);
    }

    /// The source cannot be asked.
    pub(super) fn unavailable(&self) {
        self.callbacks.on_fetch_timeout();
    }

    fn stop_timer(&self) {
        self.timer.take();
    }
}
