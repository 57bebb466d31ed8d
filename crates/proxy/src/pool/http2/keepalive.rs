//! PINGs that see whether a host is still there.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use h2::{Ping, PingPong};
use sandgate_config::model;
use tokio::time::Sleep;

/// Envoy's `connection_keepalive` of one connection.
pub(super) struct Keepalive {
    options: model::Keepalive,
    pings: PingPong,
    /// When the next PING goes, if only time decides.
    next: Option<Instant>,
    /// When the answer to the last one must be there.
    answer_by: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Wait,
    /// A PING was made, which the codec has to write.
    Write,
    /// The host did not answer in time.
    Dead,
}

// === impl Keepalive ===

impl Keepalive {
    pub(super) fn new(options: model::Keepalive, pings: PingPong, now: Instant) -> Self {
        let sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut keepalive = Self { options, pings, next: None, answer_by: None, sleep };
        keepalive.schedule(now);
        keepalive
    }

    fn schedule(&mut self, now: Instant) {
        self.next =
            self.options.interval.map(|interval| now + interval + jitter(interval, self.options.interval_jitter));
    }

    /// Looks at the time and for the answer. `wanted`: a PING is to go whatever the time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, wanted: bool) -> Verdict {
        if let Some(answer_by) = self.answer_by {
            if self.pings.poll_pong(cx).is_ready() {
                self.answer_by = None;
                self.schedule(now);
            } else if answer_by <= now {
                return Verdict::Dead;
            }
        }
        let due = wanted || self.next.is_some_and(|next| next <= now);
        if due && self.answer_by.is_none() && self.pings.send_ping(Ping::opaque()).is_ok() {
            self.next = None;
            self.answer_by = Some(now + self.options.timeout);
            return Verdict::Write;
        }
        if let Some(deadline) = self.answer_by.or(self.next) {
            self.sleep.as_mut().reset(deadline.into());
            if self.sleep.as_mut().poll(cx) == Poll::Ready(()) {
                cx.waker().wake_by_ref();
            }
        }
        Verdict::Wait
    }
}

/// Up to so many percent of `interval`.
fn jitter(interval: Duration, percent: f64) -> Duration {
    interval.mul_f64((percent / 100.0).clamp(0.0, 1.0) * fastrand::f64())
}
