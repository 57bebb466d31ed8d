//! How a connection ends.

use std::task::Context;
use std::time::Instant;

use sandgate_filter::response_flag;

use super::Connection;
use crate::active_stream::log_unread;
use crate::pool::CloseSide;

/// Envoy's drain state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drain {
    No,
    /// Responses say `connection: close`; the connection ends after one, or after the drain timeout.
    Draining,
    /// The connection ends with the response in flight.
    Closing,
}

/// The last phase: what is left is written, then the client gets time to close first, so that a reset caused by what it
/// still sends does not take the response away from it.
#[derive(Debug)]
pub(super) struct Closing {
    /// How long the client may take; `None` is not at all.
    deadline: Option<Instant>,
    side: CloseSide,
    had_request: bool,
    over: bool,
}

impl Closing {
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn side(&self) -> CloseSide {
        self.side
    }

    pub(super) fn had_request(&self) -> bool {
        self.had_request
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Connection {
    /// Ends the connection once everything is written; with `delay`, not before the client closes or
    /// `delayed_close_timeout` passes.
    pub(super) fn close(&mut self, delay: bool, now: Instant) {
        if self.closing.is_some() {
            return;
        }
        let timeout = self.hcm.config.delayed_close_timeout.filter(|timeout| delay && !timeout.is_zero());
        let deadline = timeout.map(|timeout| now + timeout);
        self.closing = Some(Closing { deadline, side: CloseSide::Local, had_request: false, over: false });
    }

    /// The client is gone: so is its request.
    pub(super) fn abandon(&mut self, now: Instant) {
        let had_request = self.stream.is_some() || self.partial.is_some();
        if let Some(mut stream) = self.stream.take() {
            if self.remote_closed {
                stream.disconnected();
            }
            stream.set_bytes(std::mem::take(&mut self.bytes));
            stream.finish(now);
            self.end_request_count();
            self.hcm.stats.downstream_rq_rx_reset().inc();
        } else if let Some(start) = self.partial.take() {
            let left = self.remote_closed;
            let failure = (response_flag::DOWNSTREAM_CONNECTION_TERMINATION, "downstream_remote_disconnect");
            let bytes = std::mem::take(&mut self.bytes);
            log_unread(&self.hcm, &self.info, start, ("HTTP/1.1", bytes), left.then_some(failure), now);
            self.end_request_count();
            self.hcm.stats.downstream_rq_rx_reset().inc();
        }
        if self.closing.is_none() {
            let side = if self.remote_closed { CloseSide::Remote } else { CloseSide::Local };
            self.closing = Some(Closing { deadline: None, side, had_request, over: true });
        }
    }

    pub(super) fn step_closing(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let _ = self.flush(cx);
        let gone = self.remote_closed || self.socket.poll_closed(cx).is_ready();
        let written = self.output.is_empty() && !self.socket.holds_back();
        let idle = self.alarm.idle_deadline(now, self.hcm.config.stream_idle_timeout, written);
        let Some(closing) = &mut self.closing else { return false };
        if gone {
            closing.side = CloseSide::Remote;
            closing.over = true;
        } else if written {
            closing.over = closing.deadline.is_none_or(|deadline| deadline <= now);
            if closing.over && closing.deadline.is_some() {
                self.hcm.stats.downstream_cx_delayed_close_timeout().inc();
            }
        } else {
            // A client that reads nothing does not keep the connection for ever.
            closing.over = idle.is_some_and(|deadline| deadline <= now);
        }
        false
    }
}
