//! The response as events: what one read brings of a body is one event, as in Envoy.

use std::task::{Context, Poll};

use sandgate_filter::ByteMeter;
use sandgate_http::h1::Event;
use sandgate_http::{BodyBuffer, HeaderMap};

use super::UpstreamEvent;
use crate::pool::{CloseSide, UpstreamConnection};
use crate::router::ResetReason;
use crate::socket::{ReadOutcome, owned, recycle};

/// Body bytes gathered before they are passed on, if no limit is set.
const GATHER_LIMIT: usize = 1024 * 1024;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct ResponseReader {
    /// Body bytes decoded and not passed on.
    gathered: BodyBuffer,
    /// The end was decoded behind them.
    ended: bool,
    /// With these.
    trailers: Option<HeaderMap>,
    /// The host has closed.
    closed: bool,
    /// What follows the head is another protocol: it has no end of its own.
    upgraded: bool,
    /// What follows the head at once, be it nothing, is passed on as its first bytes, as in Envoy; and so is the end.
    upgrading: bool,
    end_told: bool,
    /// Bytes read, and those of them that Envoy counts for headers.
    received: u64,
    header_received: u64,
    /// The head said that the connection stays open.
    keep_alive: bool,
    /// The head said that it does not.
    announces_close: bool,
}

impl ResponseReader {
    /// Whether the connection may serve another request after this response.
    pub(super) fn reusable(&self) -> bool {
        self.keep_alive && !self.closed
    }

    /// Whether what follows the head is no HTTP any more.
    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded
    }

    /// Whether the host has said that it ends the connection with this response.
    pub(super) fn announces_close(&self) -> bool {
        self.announces_close
    }

    /// The bytes of the exchange, of which this has read some.
    pub(super) fn bytes(&self, sent: ByteMeter) -> ByteMeter {
        ByteMeter { wire_received: self.received, header_received: self.header_received, ..sent }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut UpstreamConnection,
        may_read: bool,
        limit: usize,
    ) -> Poll<UpstreamEvent> {
        let event = self.next(cx, connection, may_read, limit);
        recycle(&mut connection.input);
        event
    }

    fn next(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut UpstreamConnection,
        may_read: bool,
        limit: usize,
    ) -> Poll<UpstreamEvent> {
        let limit = if limit == 0 { GATHER_LIMIT } else { limit };
        if self.ended {
            return Poll::Ready(match self.trailers.take() {
                Some(trailers) => UpstreamEvent::Trailers(trailers),
                None => UpstreamEvent::Data(BodyBuffer::new(), true),
            });
        }
        loop {
            match connection.decoder.decode(&mut connection.input) {
                Ok(Some(event)) => {
                    if let Some(event) = self.on_event(event) {
                        return Poll::Ready(event);
                    }
                    continue;
                }
                Ok(None) if std::mem::take(&mut self.upgrading) => {
                    return Poll::Ready(UpstreamEvent::Data(std::mem::take(&mut self.gathered), false));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(self.protocol_error(error.details())),
            }
            if self.closed {
                return Poll::Ready(self.on_close(connection));
            }
            if !may_read {
                return self.passed_on(Poll::Pending);
            }
            if self.gathered.len() >= limit {
                return self.passed_on(Poll::Pending);
            }
            match connection.socket.poll_read(cx, &mut connection.input) {
                Poll::Pending => return self.passed_on(Poll::Pending),
                Poll::Ready(Ok(ReadOutcome::Closed)) => self.closed = true,
                Poll::Ready(Ok(ReadOutcome::More(count) | ReadOutcome::Drained(count))) => {
                    self.received += count as u64;
                    connection.count_received(count);
                }
                Poll::Ready(Err(error)) => {
                    log::debug!(target: "upstream", "reading from the upstream failed: {error}");
                    return self.passed_on(Poll::Ready(UpstreamEvent::Reset(ResetReason::ConnectionTermination)));
                }
            }
        }
    }

    /// What was gathered, before anything else is said.
    fn passed_on(&mut self, otherwise: Poll<UpstreamEvent>) -> Poll<UpstreamEvent> {
        if self.gathered.is_empty() {
            return otherwise;
        }
        Poll::Ready(UpstreamEvent::Data(std::mem::take(&mut self.gathered), false))
    }

    fn on_event(&mut self, event: Event<sandgate_http::h1::ResponseHead>) -> Option<UpstreamEvent> {
        match event {
            Event::Head(head) if head.is_informational() => {
                Some(UpstreamEvent::Informational { status: head.status, headers: head.headers })
            }
            Event::Head(head) => {
                (self.upgraded, self.upgrading) = (head.upgrade, head.upgrade);
                self.keep_alive = head.keep_alive;
                self.header_received = head.header_bytes;
                self.announces_close = head.announces_close;
                Some(UpstreamEvent::Headers { status: head.status, headers: head.headers, end_stream: head.end_stream })
            }
            Event::Data(data) => {
                self.gathered.push(owned(data));
                None
            }
            Event::Trailers(trailers) if self.gathered.is_empty() => Some(UpstreamEvent::Trailers(trailers)),
            Event::Trailers(trailers) => {
                self.trailers = Some(trailers);
                self.ended = true;
                Some(UpstreamEvent::Data(std::mem::take(&mut self.gathered), false))
            }
            Event::End if self.gathered.is_empty() => Some(UpstreamEvent::Data(BodyBuffer::new(), true)),
            Event::End => {
                self.ended = true;
                Some(UpstreamEvent::Data(std::mem::take(&mut self.gathered), false))
            }
        }
    }

    /// The host has closed and everything it sent is decoded.
    fn on_close(&mut self, connection: &mut UpstreamConnection) -> UpstreamEvent {
        if !self.gathered.is_empty() {
            return UpstreamEvent::Data(std::mem::take(&mut self.gathered), false);
        }
        if self.upgraded {
            if !std::mem::replace(&mut self.end_told, true) {
                return UpstreamEvent::Data(BodyBuffer::new(), false);
            }
            return UpstreamEvent::Reset(ResetReason::ConnectionTermination);
        }
        connection.closed_by(CloseSide::Remote);
        match connection.decoder.finish() {
            Ok(Some(Event::End)) => UpstreamEvent::Data(BodyBuffer::new(), true),
            Ok(_) => UpstreamEvent::Reset(ResetReason::ConnectionTermination),
            Err(error) => self.protocol_error(error.details()),
        }
    }

    /// What was gathered in the same read is lost with it, as in Envoy.
    fn protocol_error(&mut self, details: &str) -> UpstreamEvent {
        log::debug!(target: "upstream", "the response breaks the protocol: {details}");
        self.gathered.clear();
        UpstreamEvent::Reset(ResetReason::ProtocolError)
    }
}
