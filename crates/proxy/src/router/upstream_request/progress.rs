//! What comes of an upstream request: its host's answer, its filters', or the end of its time.

use std::task::{Context, Poll};
use std::time::Instant;

use super::{State, UpstreamEvent, UpstreamRequest};
use crate::pool::ConnectFailure;
use crate::router::ResetReason;

impl UpstreamRequest {
    /// The next of the response, past the filters in front of the host.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, may_read: bool) -> Poll<UpstreamEvent> {
        let event = match self.chain {
            None => self.poll_exchange(cx, now, may_read),
            Some(_) => self.poll_chain(cx, now, may_read),
        };
        if let Poll::Ready(event) = &event {
            self.note_told(event, now);
        }
        event
    }

    fn poll_chain(&mut self, cx: &mut Context<'_>, now: Instant, may_read: bool) -> Poll<UpstreamEvent> {
        loop {
            let Some(chain) = &mut self.chain else { return Poll::Pending };
            if let Some(event) = chain.next_event() {
                return Poll::Ready(event);
            }
            chain.advance(&mut self.outgoing);
            if let Some(event) = chain.next_event() {
                return Poll::Ready(event);
            }
            let may_read = may_read && chain.wants_response();
            let Poll::Ready(event) = self.poll_exchange(cx, now, may_read) else { return Poll::Pending };
            if let UpstreamEvent::Headers { status, .. } = &event
                && self.outgoing.is_refused(*status)
            {
                return Poll::Ready(event);
            }
            let Some(chain) = &mut self.chain else { return Poll::Ready(event) };
            if let Some(event) = chain.respond(event) {
                return Poll::Ready(event);
            }
        }
    }

    /// The next that comes of the host.
    fn poll_exchange(&mut self, cx: &mut Context<'_>, now: Instant, may_read: bool) -> Poll<UpstreamEvent> {
        if let State::Pending(pending) = &mut self.state {
            match pending.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(lease)) => self.open(lease, now),
                Poll::Ready(Err(failure)) => {
                    self.state = State::Done;
                    let waited = now.saturating_duration_since(self.began);
                    self.with_info(|info| info.pool_ready = Some(waited));
                    return Poll::Ready(UpstreamEvent::Reset(match failure {
                        ConnectFailure::Timeout => ResetReason::ConnectionTimeout,
                        ConnectFailure::Failed(why) => ResetReason::ConnectionFailure(why),
                    }));
                }
            }
        }
        if std::mem::take(&mut self.overflow) {
            return Poll::Ready(UpstreamEvent::Reset(ResetReason::Overflow));
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.state = State::Done;
            return Poll::Ready(UpstreamEvent::Reset(ResetReason::MaxStreamDuration));
        }
        let State::Open(exchange) = &mut self.state else { return self.per_try_timeout(now) };
        let stream = self.chain.as_ref().map_or(&*self.stream, |chain| chain.stream());
        match if self.outgoing.ready { exchange.encode(cx, stream, &mut self.outgoing) } else { Ok(false) } {
            Ok(false) => {}
            Ok(true) => {
                self.begun = true;
                self.with_info(|info| info.first_tx = Some(now));
            }
            Err(message) => {
                self.state = State::Done;
                return Poll::Ready(UpstreamEvent::Invalid(message));
            }
        }
        let State::Open(exchange) = &mut self.state else { return Poll::Pending };
        if exchange.write(cx, self.outgoing.is_encoded()) {
            self.with_info(|info| info.last_tx = Some(now));
        }
        let State::Open(exchange) = &mut self.state else { return Poll::Pending };
        let Poll::Ready(event) = exchange.poll(cx, may_read, self.buffer_limit) else {
            return self.per_try_timeout(now);
        };
        self.note_came(&event, now);
        Poll::Ready(event)
    }

    /// One of the attempt's own times has passed; each is told once, and one ends the other.
    fn per_try_timeout(&mut self, now: Instant) -> Poll<UpstreamEvent> {
        if self.per_try_deadline.take_if(|deadline| *deadline <= now).is_some() {
            self.per_try_idle_deadline = None;
            return Poll::Ready(UpstreamEvent::PerTryTimeout);
        }
        if self.per_try_idle_deadline.take_if(|deadline| *deadline <= now).is_some() {
            self.per_try_deadline = None;
            return Poll::Ready(UpstreamEvent::PerTryIdleTimeout);
        }
        Poll::Pending
    }

    /// What an event means for the connection and the stream info.
    fn note_came(&mut self, event: &UpstreamEvent, now: Instant) {
        let State::Open(exchange) = &mut self.state else { return };
        let bytes = self.bytes_before + exchange.bytes();
        match &mut self.aside {
            Some(aside) => aside.bytes = bytes,
            None => self.stream.info_mut().upstream.bytes = bytes,
        }
        let end = match event {
            UpstreamEvent::Informational { .. } => return,
            UpstreamEvent::Headers { status, end_stream, .. } => {
                if self.outgoing.paused && self.outgoing.tunnel.agrees(*status, exchange.is_http1()) {
                    self.outgoing.paused = false;
                    (self.per_try_deadline, self.per_try_idle_deadline) = (None, None);
                }
                if exchange.announces_close() {
                    self.cluster.stats.upstream_cx_close_notify().inc();
                }
                self.with_info(|info| info.first_rx = Some(now));
                *end_stream
            }
            UpstreamEvent::Data(_, end_stream) => *end_stream,
            UpstreamEvent::Trailers(_) => true,
            UpstreamEvent::Invalid(_)
            | UpstreamEvent::LocalReply(_)
            | UpstreamEvent::ResetByFilter
            | UpstreamEvent::PerTryTimeout
            | UpstreamEvent::PerTryIdleTimeout => return,
            UpstreamEvent::Reset(reason) => {
                if let State::Open(exchange) = std::mem::replace(&mut self.state, State::Done) {
                    exchange.reset(reason);
                }
                return;
            }
        };
        if end {
            self.with_info(|info| info.last_rx = Some(now));
            if let State::Open(exchange) = std::mem::replace(&mut self.state, State::Done) {
                exchange.finish(now);
            }
        }
    }

    /// What an event means for the times of the attempt, once the router hears of it.
    fn note_told(&mut self, event: &UpstreamEvent, now: Instant) {
        let end = match event {
            UpstreamEvent::Headers { end_stream, .. } => {
                self.awaiting_headers = false;
                *end_stream
            }
            UpstreamEvent::Data(_, end_stream) => *end_stream,
            UpstreamEvent::Trailers(_) => true,
            _ => return,
        };
        if end {
            (self.per_try_deadline, self.per_try_idle_deadline) = (None, None);
        } else if self.per_try_idle_deadline.is_some() {
            self.per_try_idle_deadline = self.per_try.idle_timeout.map(|timeout| now + timeout);
        }
    }
}
