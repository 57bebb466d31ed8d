//! The times of a connection: one timer, set again only when it fires too early.

use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// When something is due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Nothing has moved since; nothing is watched before the connection is known.
    pub(super) active: Option<Instant>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) too_old: Option<Instant>,
    pub(super) retry: Option<Instant>,
    pub(super) log: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

// === impl Timers ===

impl Timers {
    /// When it is idle for too long.
    pub(super) fn idle_at(&self) -> Option<Instant> {
        Some(self.active? + self.idle_timeout?)
    }

    /// Whether `deadline` has come; then it is no more.
    pub(super) fn take(deadline: &mut Option<Instant>, now: Instant) -> bool {
        deadline.take_if(|deadline| *deadline <= now).is_some()
    }

    /// Wakes the task of `cx` at the next of them, or earlier.
    pub(super) fn arm(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.armed.is_some_and(|armed| armed <= now) {
            self.armed = None;
        }
        let all = [self.idle_at(), self.too_old, self.retry, self.log];
        let Some(next) = all.into_iter().flatten().min() else { return };
        // Never in the past: a deadline that nobody acted on must not spin.
        let next = next.max(now + Duration::from_millis(1));
        if self.armed.is_some_and(|armed| armed <= next) {
            return;
        }
        self.armed = Some(next);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next.into())));
        sleep.as_mut().reset(next.into());
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
