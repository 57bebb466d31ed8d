//! The times of a connection: one timer, set again only when it fires too early or too late.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::Connection;
use super::close::{Closing, Drain};
use crate::active_stream::{ActiveStream, StreamTimeout, StreamTimers};

/// While the server drains, a connection on which nothing came for so long is taken for idle.
const DRAIN_IDLE: Duration = Duration::from_millis(250);

/// The timer. It may fire earlier than needed, never later: moving it for each request would cost more.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
    /// When a connection that closes and cannot be written is given up.
    stalled: Option<Instant>,
}

impl Alarm {
    fn set(&mut self, cx: &mut Context<'_>, deadline: Instant) {
        if self.armed.is_some_and(|armed| armed <= deadline) {
            return;
        }
        self.armed = Some(deadline);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        sleep.as_mut().reset(deadline.into());
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// When a closing connection with unwritten bytes is given up.
    pub(super) fn idle_deadline(&mut self, now: Instant, timeout: Option<Duration>, written: bool) -> Option<Instant> {
        let timeout = timeout.unwrap_or(Duration::from_secs(300));
        self.stalled = if written { None } else { Some(self.stalled.unwrap_or(now + timeout)) };
        self.stalled
    }
}

impl Connection {
    /// Acts on what has become due.
    pub(super) fn on_alarm(&mut self, now: Instant) {
        if self.alarm.armed.is_some_and(|armed| armed <= now) {
            self.alarm.armed = None;
        }
        if self.closing.is_some() {
            return;
        }
        if let Some(stream) = &mut self.stream {
            stream.set_bytes(self.bytes);
            stream.on_timers(now);
        } else if let Some(timeout) = self.partial_timeout(now) {
            self.time_out_partial(timeout, now);
        } else if self.partial.is_none() && self.idle_deadline().is_some_and(|deadline| deadline <= now) {
            self.on_idle(now);
        }
        let duration = self.hcm.config.max_connection_duration;
        if self.drain == Drain::No && duration.is_some_and(|max| self.base.opened + max <= now) {
            self.hcm.stats.downstream_cx_max_duration_reached().inc();
            self.start_drain(now);
        }
        if self.drain_deadline.is_some_and(|deadline| deadline <= now) {
            self.drain_deadline = None;
            self.drain = Drain::Closing;
            if self.stream.is_none() && self.partial.is_none() {
                self.close(true, now);
            }
        }
    }

    /// Sets the timer for what is due next.
    pub(super) fn arm(&mut self, cx: &mut Context<'_>, now: Instant) {
        let next = match &self.closing {
            Some(closing) => Closing::deadline(closing).into_iter().chain(self.alarm.stalled).min(),
            None => {
                let current = match (&self.stream, &self.partial) {
                    (Some(stream), _) => stream.deadline(),
                    (None, Some(_)) => self.partial_deadlines().map(|(deadline, _)| deadline).min(),
                    (None, None) => self.idle_deadline(),
                };
                let duration = self.hcm.config.max_connection_duration.filter(|_| self.drain == Drain::No);
                let aged = duration.map(|max| self.base.opened + max);
                current.into_iter().chain(aged).chain(self.drain_deadline).min()
            }
        };
        if let Some(next) = next {
            // Never in the past: a deadline that nobody acted on must not spin.
            self.alarm.set(cx, next.max(now + Duration::from_millis(1)));
        }
    }

    /// When a connection without a request is closed.
    fn idle_deadline(&self) -> Option<Instant> {
        if self.worker.is_draining() {
            return Some(self.idle_since + DRAIN_IDLE);
        }
        if self.drain != Drain::No {
            return None;
        }
        self.hcm.config.idle_timeout.filter(|timeout| !timeout.is_zero()).map(|timeout| self.idle_since + timeout)
    }

    fn on_idle(&mut self, now: Instant) {
        if self.worker.is_draining() {
            self.close(false, now);
            return;
        }
        self.hcm.stats.downstream_cx_idle_timeout().inc();
        self.start_drain(now);
    }

    /// Envoy's drain sequence. A connection that never said anything is closed at once.
    fn start_drain(&mut self, now: Instant) {
        if self.has_codec {
            self.drain = Drain::Draining;
            self.drain_deadline = Some(now + self.hcm.config.drain_timeout);
        } else {
            self.close(false, now);
        }
    }

    /// What limits the wait for the rest of a head.
    fn partial_deadlines(&self) -> impl Iterator<Item = (Instant, StreamTimeout)> + use<> {
        let deadlines = self.partial.map(|start| {
            let config = &self.hcm.config;
            let headers = config.request_headers_timeout.filter(|timeout| !timeout.is_zero());
            let timers = StreamTimers::new(config, start.instant, start.instant);
            let headers = headers.map(|timeout| (start.instant + timeout, StreamTimeout::Headers));
            headers.into_iter().chain(timers.all())
        });
        deadlines.into_iter().flatten()
    }

    fn partial_timeout(&self, now: Instant) -> Option<StreamTimeout> {
        self.partial_deadlines().filter(|(deadline, _)| *deadline <= now).min_by_key(|(at, _)| *at).map(|(_, t)| t)
    }

    fn time_out_partial(&mut self, timeout: StreamTimeout, now: Instant) {
        let Some(start) = self.partial.take() else { return };
        let mut stream = ActiveStream::without_headers(&self.worker, &self.hcm, &self.info, start, now);
        stream.time_out(timeout, now);
        self.drain = Drain::Closing;
        self.stream = Some(stream);
    }
}
