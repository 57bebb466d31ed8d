//! Request and response on one upstream connection, whatever it speaks.

use std::task::{Context, Poll};
use std::time::Instant;

use sandgate_filter::{ByteMeter, Stream};

use super::UpstreamEvent;
use super::http1::Http1Exchange;
use super::http2::Http2Exchange;
use super::outgoing::Outgoing;
use super::tcp::TcpExchange;
pub(super) use crate::pool::ActiveRequest;
use crate::router::ResetReason;

/// Request and response on one connection.
pub(super) enum Exchange {
    Http1(Box<Http1Exchange>),
    Http2(Box<Http2Exchange>),
    Tcp(Box<TcpExchange>),
}

// === impl Exchange ===

impl Exchange {
    /// Takes what there is of the request, as far as there is room for it; whether its head was among that.
    ///
    /// # Errors
    /// A request that cannot be written, and why.
    pub(super) fn encode(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        outgoing: &mut Outgoing,
    ) -> Result<bool, String> {
        match self {
            Self::Http1(exchange) => exchange.encode(stream, outgoing),
            Self::Http2(exchange) => exchange.encode(cx, stream, outgoing),
            Self::Tcp(exchange) => Ok(exchange.encode(outgoing)),
        }
    }

    /// Writes what was encoded; whether that was the last of the request.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, encoded: bool) -> bool {
        match self {
            Self::Http1(exchange) => exchange.write(cx, encoded),
            Self::Http2(exchange) => exchange.write(encoded),
            Self::Tcp(exchange) => exchange.write(cx, encoded),
        }
    }

    /// Bytes taken that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        match self {
            Self::Http1(exchange) => exchange.unwritten(),
            // What is taken is the window's, which bounds it.
            Self::Http2(_) => 0,
            Self::Tcp(exchange) => exchange.unwritten(),
        }
    }

    /// The next of the response; not more than about `limit` bytes of the body at once, 0 being no limit.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, may_read: bool, limit: usize) -> Poll<UpstreamEvent> {
        match self {
            Self::Http1(exchange) => exchange.poll(cx, may_read, limit),
            Self::Http2(exchange) => exchange.poll(cx, may_read),
            Self::Tcp(exchange) => exchange.poll(cx, may_read, limit),
        }
    }

    /// What went over the wire so far.
    pub(super) fn bytes(&self) -> ByteMeter {
        match self {
            Self::Http1(exchange) => exchange.bytes(),
            Self::Http2(exchange) => exchange.bytes(),
            Self::Tcp(exchange) => exchange.bytes(),
        }
    }

    /// Whether the host speaks HTTP/1, which answers wishes for other protocols with 101.
    pub(super) fn is_http1(&self) -> bool {
        match self {
            Self::Http1(_) => true,
            Self::Http2(_) | Self::Tcp(_) => false,
        }
    }

    /// Whether the host has said with its headers that it ends the connection.
    pub(super) fn announces_close(&self) -> bool {
        match self {
            Self::Http1(exchange) => exchange.announces_close(),
            Self::Http2(_) | Self::Tcp(_) => false,
        }
    }

    /// There will be no more of the response.
    pub(super) fn reset(self, reason: &ResetReason) {
        match self {
            Self::Http1(exchange) => exchange.reset(reason),
            Self::Http2(exchange) => exchange.reset(reason),
            Self::Tcp(exchange) => exchange.reset(reason),
        }
    }

    /// The response is complete.
    pub(super) fn finish(self, now: Instant) {
        match self {
            Self::Http1(exchange) => exchange.finish(now),
            Self::Http2(exchange) => exchange.finish(),
            Self::Tcp(exchange) => drop(exchange),
        }
    }
}
