//! A tunnel that ends here: what the client sends goes to the host as it is, and the other way.

use std::task::{Context, Poll};

use sandgate_filter::ByteMeter;
use sandgate_http::{BodyBuffer, HeaderMap, HeaderMapKind};

use super::UpstreamEvent;
use super::exchange::ActiveRequest;
use super::outgoing::{Outgoing, RequestEnd};
use crate::pool::{CloseSide, UpstreamConnection};
use crate::router::ResetReason;
use crate::socket::{ReadOutcome, owned, recycle};

/// Bytes gathered before they are passed on, if no limit is set.
const GATHER_LIMIT: usize = 1024 * 1024;

/// Bytes in both directions.
pub(super) struct TcpExchange {
    connection: UpstreamConnection,
    begun: bool,
    /// The client was told that the tunnel stands.
    answered: bool,
    /// The host has shut its side.
    closed: bool,
    /// The client has shut its side, and the host was told.
    shut: bool,
    bytes: ByteMeter,
    _active: ActiveRequest,
}

// === impl TcpExchange ===

impl TcpExchange {
    pub(super) fn new(connection: UpstreamConnection, active: ActiveRequest) -> Self {
        Self {
            connection,
            begun: false,
            answered: false,
            closed: false,
            shut: false,
            bytes: ByteMeter::default(),
            _active: active,
        }
    }

    /// Takes what there is; whether these were the headers, of which nothing is written.
    pub(super) fn encode(&mut self, outgoing: &mut Outgoing) -> bool {
        let begins = !std::mem::replace(&mut self.begun, true);
        if outgoing.paused || outgoing.is_encoded() {
            return begins;
        }
        self.bytes.wire_sent += outgoing.body.len() as u64;
        while let Some(piece) = outgoing.body.pop() {
            self.connection.output.push(piece);
        }
        if outgoing.end != RequestEnd::NotYet {
            outgoing.end = RequestEnd::Encoded;
        }
        begins
    }

    /// Writes what was taken, and shuts this side behind the last of it; whether that was done now.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, encoded: bool) -> bool {
        if self.shut {
            return false;
        }
        let connection = &mut self.connection;
        let before = connection.output.len();
        let mut result = connection.socket.poll_write(cx, &mut connection.output);
        connection.count_sent(before - connection.output.len());
        if encoded && matches!(result, Poll::Ready(Ok(()))) {
            result = connection.socket.poll_shutdown(cx);
        }
        match result {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.shut = encoded;
                encoded
            }
            Poll::Ready(Err(error)) => {
                log::debug!(target: "upstream", "writing to the upstream failed: {error}");
                connection.output.clear();
                // Reading tells what became of the host.
                self.shut = true;
                false
            }
        }
    }

    pub(super) fn unwritten(&self) -> usize {
        self.connection.output.len()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, may_read: bool, limit: usize) -> Poll<UpstreamEvent> {
        if !std::mem::replace(&mut self.answered, true) {
            let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
            headers.append(b":status", b"200");
            return Poll::Ready(UpstreamEvent::Headers { status: 200, headers, end_stream: false });
        }
        let limit = if limit == 0 { GATHER_LIMIT } else { limit };
        let mut gathered = BodyBuffer::new();
        while may_read && !self.closed && gathered.len() < limit {
            match self.connection.socket.poll_read(cx, &mut self.connection.input) {
                Poll::Pending => break,
                Poll::Ready(Ok(ReadOutcome::Closed)) => self.closed = true,
                Poll::Ready(Ok(ReadOutcome::More(count) | ReadOutcome::Drained(count))) => {
                    self.bytes.wire_received += count as u64;
                    self.connection.count_received(count);
                    gathered.push(owned(self.connection.input.split().freeze()));
                }
                Poll::Ready(Err(error)) => {
                    log::debug!(target: "upstream", "reading from the upstream failed: {error}");
                    if gathered.is_empty() {
                        return Poll::Ready(UpstreamEvent::Reset(ResetReason::ConnectionTermination));
                    }
                    break;
                }
            }
        }
        recycle(&mut self.connection.input);
        if gathered.is_empty() && !self.closed {
            return Poll::Pending;
        }
        Poll::Ready(UpstreamEvent::Data(gathered, self.closed))
    }

    pub(super) fn bytes(&self) -> ByteMeter {
        self.bytes
    }

    /// There will be no more of the response.
    pub(super) fn reset(mut self, reason: &ResetReason) {
        if *reason == ResetReason::ConnectionTermination {
            self.connection.closed_by(CloseSide::Remote);
        }
    }
}
