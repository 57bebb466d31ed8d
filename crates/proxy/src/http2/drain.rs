//! How a connection comes to its end: Envoy's drain sequence, idleness, age, and pings that nobody answers.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use h2::{Ping, PingPong};
use sandgate_config::model::Keepalive;

use super::connection::Http2Connection;
use super::shared::Drain;

/// The greatest stream id: a GOAWAY with it announces the end without refusing anything.
const NOTICE: u32 = 0x7fff_ffff;
/// While the server drains, a connection on which nothing came for so long is taken for idle.
const DRAIN_IDLE: Duration = Duration::from_millis(250);

/// PINGs to see whether a client is still there.
pub(super) struct Pings {
    settings: Keepalive,
    pings: PingPong,
    /// When the next one is sent, or the last one is answered.
    due: Instant,
    waiting: bool,
}

impl Pings {
    pub(super) fn new(settings: Keepalive, pings: PingPong, now: Instant) -> Option<Self> {
        let mut this = Self { settings, pings, due: now, waiting: false };
        this.due = now + this.next_interval()?;
        Some(this)
    }

    fn next_interval(&self) -> Option<Duration> {
        let interval = self.settings.interval.filter(|interval| !interval.is_zero())?;
        Some(interval.mul_f64(1.0 + self.settings.interval_jitter / 100.0 * fastrand::f64()))
    }

    /// Sends and awaits PINGs; when there is something to do next, or an error once an answer is overdue.
    fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Instant, ()> {
        if self.waiting
            && let Poll::Ready(Ok(_)) = self.pings.poll_pong(cx)
        {
            self.waiting = false;
            self.due = now + self.next_interval().unwrap_or(DRAIN_IDLE);
        }
        if self.due <= now {
            if self.waiting {
                return Err(());
            }
            if self.pings.send_ping(Ping::opaque()).is_ok() {
                self.waiting = true;
                self.due = now + self.settings.timeout;
                if let Poll::Ready(Ok(_)) = self.pings.poll_pong(cx) {
                    self.waiting = false;
                }
            }
        }
        Ok(self.due)
    }
}

impl Http2Connection {
    /// Acts on what has become due.
    pub(super) fn on_time(&mut self, cx: &mut Context<'_>, now: Instant) {
        let hcm = Rc::clone(&self.shared.hcm);
        let (config, stats, stats_of_codec) = (&hcm.config, &hcm.stats, &hcm.http2_stats);
        if self.shared.drain_wanted.take() {
            self.start_drain(now);
        }
        if self.shared.drain.get() == Drain::No {
            if config.max_connection_duration.is_some_and(|max| self.base.opened + max <= now) {
                stats.downstream_cx_max_duration_reached().inc();
                self.start_drain(now);
            } else if self.idle_deadline().is_some_and(|deadline| deadline <= now) {
                if !self.shared.worker.is_draining() {
                    stats.downstream_cx_idle_timeout().inc();
                }
                self.start_drain(now);
            } else if self.shared.worker.is_draining() {
                self.start_drain(now);
            }
        }
        if self.drain_deadline.is_some_and(|deadline| deadline <= now) {
            self.drain_deadline = None;
            let last = self.shared.io.get().frames.last_id();
            self.shared.io.get_mut().go_away(last);
            stats_of_codec.goaway_sent().inc();
            self.shared.drain.set(Drain::Closing);
        }
        if self.shared.drain.get() == Drain::Closing && self.shared.open_streams() == 0 {
            self.close(true, now);
        }
        if let Some(pings) = &mut self.pings {
            match pings.poll(cx, now) {
                Ok(next) => self.ping_due = Some(next),
                Err(()) => {
                    self.shared.hcm.http2_stats.keepalive_timeout().inc();
                    self.close(false, now);
                }
            }
        }
    }

    /// Sets the timer for what is due next.
    pub(super) fn arm(&mut self, cx: &mut Context<'_>, now: Instant) {
        let next = if let Some(closing) = &self.closing {
            closing.deadline
        } else {
            let idle = self.idle_deadline();
            let duration = self.shared.hcm.config.max_connection_duration;
            let aged = duration.filter(|_| self.shared.drain.get() == Drain::No).map(|max| self.base.opened + max);
            let streams = self.shared.deadlines.wake_due(now);
            [idle, aged, streams, self.drain_deadline, self.ping_due].into_iter().flatten().min()
        };
        if let Some(next) = next {
            self.alarm.set(cx, next, now);
        }
    }

    /// When a connection without a stream is drained.
    fn idle_deadline(&self) -> Option<Instant> {
        if self.shared.drain.get() != Drain::No || self.shared.open_streams() > 0 {
            return None;
        }
        let timeout = self.shared.hcm.config.idle_timeout.filter(|timeout| !timeout.is_zero());
        timeout.map(|timeout| self.idle_since + timeout)
    }

    /// Tells the client that the connection will end, and after the drain timeout which stream is the last.
    fn start_drain(&mut self, now: Instant) {
        if self.shared.drain.get() != Drain::No {
            return;
        }
        self.shared.drain.set(Drain::Draining);
        self.shared.io.get_mut().go_away(NOTICE);
        // A server that goes away does not wait for clients to take the hint, as Envoy does.
        let wait = if self.shared.worker.is_draining() { DRAIN_IDLE } else { self.shared.hcm.config.drain_timeout };
        self.drain_deadline = Some(now + wait);
    }
}
