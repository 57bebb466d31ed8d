//! Request and response on an HTTP/1 connection.

use std::task::{Context, Poll};
use std::time::Instant;

use sandgate_filter::{ByteMeter, Stream};
use sandgate_http::Direction;
use sandgate_http::h1::{BodyEncoder, RequestEncodeOptions, encode_request};

use super::UpstreamEvent;
use super::exchange::ActiveRequest;
use super::outgoing::{Outgoing, RequestEnd};
use super::response::ResponseReader;
use crate::pool::{CloseSide, UpstreamConnection};
use crate::router::ResetReason;
use crate::router::tunnel::Tunnel;

/// The request line without method and target, and the empty line.
const FIRST_AND_LAST_LINE: usize = "  HTTP/1.1\r\n\r\n".len();

/// Request and response, one after the other.
pub(super) struct Http1Exchange {
    connection: UpstreamConnection,
    enable_trailers: bool,
    /// The request is CONNECT.
    connect: bool,
    encoder: Option<BodyEncoder>,
    reader: ResponseReader,
    /// Writing failed: the response may still be there to read.
    write_failed: bool,
    request_written: bool,
    bytes: ByteMeter,
    _active: ActiveRequest,
}

// === impl Http1Exchange ===

impl Http1Exchange {
    pub(super) fn new(connection: UpstreamConnection, enable_trailers: bool, active: ActiveRequest) -> Self {
        Self {
            connection,
            enable_trailers,
            connect: false,
            encoder: None,
            reader: ResponseReader::default(),
            write_failed: false,
            request_written: false,
            bytes: ByteMeter::default(),
            _active: active,
        }
    }

    /// Encodes what there is of the request; whether its head was among that.
    pub(super) fn encode(&mut self, stream: &Stream, outgoing: &mut Outgoing) -> Result<bool, String> {
        if outgoing.is_encoded() {
            return Ok(false);
        }
        let begins = self.encoder.is_none();
        if begins && self.encode_head(stream, outgoing)? {
            return Ok(true);
        }
        if outgoing.paused {
            return Ok(begins);
        }
        let (Some(encoder), out) = (&mut self.encoder, &mut self.connection.output) else { return Ok(begins) };
        let before = out.len();
        encoder.pieces(std::mem::take(&mut outgoing.body), out);
        match outgoing.end {
            RequestEnd::NotYet | RequestEnd::Encoded => {
                self.bytes.wire_sent += (out.len() - before) as u64;
                return Ok(begins);
            }
            RequestEnd::Body => encoder.end(out),
            RequestEnd::Trailers => match stream.trailers(Direction::Request) {
                Some(trailers) => encoder.trailers(&trailers, out).map_err(|error| error.to_string())?,
                None => encoder.end(out),
            },
        }
        self.bytes.wire_sent += (out.len() - before) as u64;
        outgoing.end = RequestEnd::Encoded;
        Ok(begins)
    }

    /// Encodes the head; whether that is all.
    fn encode_head(&mut self, stream: &Stream, outgoing: &mut Outgoing) -> Result<bool, String> {
        let out = &mut self.connection.output;
        let before = out.len();
        let headers = stream.headers(Direction::Request);
        let Some(headers) = headers else { return Err("missing request headers".to_owned()) };
        let end_stream = outgoing.headers_only;
        self.connect = outgoing.tunnel == Tunnel::Connect;
        let upgrade = outgoing.tunnel.is_upgrade();
        let options = RequestEncodeOptions { end_stream, enable_trailers: self.enable_trailers, upgrade };
        let body = encode_request(&headers, options, out).map_err(|error| error.to_string())?;
        self.encoder = Some(body);
        let method = headers.get(b":method").unwrap_or_default();
        let path = headers.get(b":path").unwrap_or_default();
        self.bytes.wire_sent = (out.len() - before) as u64;
        self.bytes.header_sent =
            self.bytes.wire_sent.saturating_sub((method.len() + path.len() + FIRST_AND_LAST_LINE) as u64);
        self.connection.decoder.expect_response(method, upgrade);
        if end_stream {
            outgoing.end = RequestEnd::Encoded;
        }
        Ok(end_stream)
    }

    /// Writes what is encoded; whether that was the last of the request.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, encoded: bool) -> bool {
        if self.write_failed || self.request_written {
            return false;
        }
        let connection = &mut self.connection;
        let before = connection.output.len();
        let result = connection.socket.poll_write(cx, &mut connection.output);
        connection.count_sent(before - connection.output.len());
        match result {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.request_written = encoded,
            Poll::Ready(Err(error)) => {
                log::debug!(target: "upstream", "writing to the upstream failed: {error}");
                connection.output.clear();
                self.write_failed = true;
            }
        }
        self.request_written
    }

    pub(super) fn unwritten(&self) -> usize {
        self.connection.output.len()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, may_read: bool, limit: usize) -> Poll<UpstreamEvent> {
        match self.reader.poll(cx, &mut self.connection, may_read, limit) {
            Poll::Pending if self.write_failed && may_read => {
                Poll::Ready(UpstreamEvent::Reset(ResetReason::ConnectionTermination))
            }
            other => other,
        }
    }

    pub(super) fn bytes(&self) -> ByteMeter {
        self.reader.bytes(self.bytes)
    }

    pub(super) fn announces_close(&self) -> bool {
        self.reader.announces_close()
    }

    /// There will be no more of the response: nor of the connection.
    pub(super) fn reset(mut self, reason: &ResetReason) {
        match reason {
            // A tunnel that CONNECT opened can be shut on one side: it is ended here.
            ResetReason::ConnectionTermination if self.connect && self.reader.is_upgraded() => {}
            ResetReason::ConnectionTermination => self.connection.closed_by(CloseSide::Remote),
            ResetReason::ProtocolError => self.connection.count_protocol_error(),
            _ => {}
        }
    }

    /// The response is complete: gives the connection back, if it can be used again.
    pub(super) fn finish(self, now: Instant) {
        let Self { mut connection, encoder, reader, request_written, .. } = self;
        // A host that was promised more would take the next request for the rest of this one.
        let kept_word = encoder.is_none_or(|encoder| encoder.is_complete()) && request_written;
        if kept_word {
            // Whatever becomes of the connection, no request is on it any more.
            connection.set_active(false);
        }
        if kept_word && reader.reusable() && connection.input.is_empty() && connection.output.is_empty() {
            let pool = connection.pool();
            pool.release(connection, now);
        }
    }
}
