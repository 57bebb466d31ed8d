//! One timer of a connection.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// A timer that may fire earlier than needed, never later: to move it for each request would cost more.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Alarm {
    /// Wakes at `deadline` or before it; a deadline in the past wakes soon.
    pub(super) fn set(&mut self, cx: &mut Context<'_>, deadline: Instant, now: Instant) {
        if self.armed.is_some_and(|armed| armed > now && armed <= deadline) {
            return;
        }
        // Never in the past: a deadline that nobody acted on must not spin.
        let deadline = deadline.max(now + Duration::from_millis(1));
        self.armed = Some(deadline);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        sleep.as_mut().reset(deadline.into());
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
