//! Request and response on one stream of an HTTP/2 connection.

use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use sandgate_filter::{ByteMeter, Stream};
use sandgate_http::{BodyBuffer, Direction, HeaderMap};

use super::UpstreamEvent;
use super::exchange::ActiveRequest;
use super::outgoing::{Outgoing, RequestEnd};
use crate::cluster::WorkerCluster;
use crate::http2::{headers, upgrade};
use crate::pool::StreamLease;
use crate::router::ResetReason;

/// Request and response, side by side.
pub(super) struct Http2Exchange {
    /// Both are let go before the lease: the next who gets it finds their room.
    sending: Option<SendStream<Bytes>>,
    /// The protocol that was asked for.
    upgrade: Option<Box<[u8]>>,
    receiving: Receiving,
    cluster: Rc<WorkerCluster>,
    /// The whole request was taken.
    request_complete: bool,
    /// The end of the request was told.
    request_told: bool,
    /// Nothing is to be reset any more.
    over: bool,
    lease: StreamLease,
    _active: ActiveRequest,
}

/// How far the response has come.
enum Receiving {
    /// The request is not sent yet.
    Nothing,
    Headers(ResponseFuture),
    Body(RecvStream),
    /// It cannot come.
    Failed(ResetReason),
}

// === impl Http2Exchange ===

impl Http2Exchange {
    pub(super) fn new(lease: StreamLease, cluster: &Rc<WorkerCluster>, active: ActiveRequest) -> Self {
        Self {
            sending: None,
            upgrade: None,
            receiving: Receiving::Nothing,
            cluster: Rc::clone(cluster),
            request_complete: false,
            request_told: false,
            over: false,
            lease,
            _active: active,
        }
    }

    /// Sends what there is of the request and what the windows allow; whether its head was among that.
    pub(super) fn encode(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        outgoing: &mut Outgoing,
    ) -> Result<bool, String> {
        if outgoing.is_encoded() {
            return Ok(false);
        }
        let begins = matches!(self.receiving, Receiving::Nothing);
        if begins {
            self.send_head(stream, outgoing)?;
        }
        if outgoing.paused {
            return Ok(begins);
        }
        if !outgoing.is_encoded() {
            self.send_body(cx, outgoing);
        }
        if outgoing.body.is_empty() && matches!(outgoing.end, RequestEnd::Body | RequestEnd::Trailers) {
            self.send_end(stream, outgoing)?;
        }
        self.request_complete = outgoing.is_encoded();
        Ok(begins)
    }

    fn send_head(&mut self, stream: &Stream, outgoing: &mut Outgoing) -> Result<(), String> {
        let headers = stream.headers(Direction::Request);
        let Some(headers) = headers else { return Err("missing request headers".to_owned()) };
        let request = if outgoing.tunnel.is_upgrade() {
            self.upgrade = headers.get(b"upgrade").map(Box::from);
            headers::request(upgrade::request_to_http2(&headers))
        } else {
            headers::request(HeaderMap::clone(&headers))
        };
        let (request, fields) = request.map_err(|error| error.to_string())?;
        match self.lease.send_request(request, fields, outgoing.headers_only) {
            Ok((response, sending)) => {
                self.receiving = Receiving::Headers(response);
                self.sending = Some(sending);
            }
            Err(error) => self.receiving = Receiving::Failed(self.reason(&error)),
        }
        if outgoing.headers_only {
            outgoing.end = RequestEnd::Encoded;
        }
        Ok(())
    }

    /// Sends as much of the body as there is room for. The last piece carries the end.
    fn send_body(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) {
        let Some(sending) = &mut self.sending else { return };
        while let Some(mut piece) = outgoing.body.pop() {
            let wanted = piece.len() + outgoing.body.len();
            let Some(room) = room(cx, sending, wanted) else {
                // The host takes no more; what becomes of that, its answer says.
                outgoing.body.clear();
                return;
            };
            if room == 0 {
                return outgoing.body.prepend(piece);
            }
            if room < piece.len() {
                outgoing.body.prepend(piece.split_off(room));
            }
            let last = outgoing.body.is_empty() && outgoing.end == RequestEnd::Body;
            if sending.send_data(piece, last).is_err() {
                outgoing.body.clear();
            }
            if last {
                outgoing.end = RequestEnd::Encoded;
            }
        }
    }

    fn send_end(&mut self, stream: &Stream, outgoing: &mut Outgoing) -> Result<(), String> {
        let trailers = match outgoing.end {
            RequestEnd::Trailers => stream.trailers(Direction::Request),
            _ => None,
        };
        if let Some(trailers) = &trailers {
            headers::check_fields(trailers).map_err(|error| error.to_string())?;
        }
        let trailers = trailers.and_then(|trailers| headers::sent_trailers(HeaderMap::clone(&trailers)));
        outgoing.end = RequestEnd::Encoded;
        let Some(sending) = &mut self.sending else { return Ok(()) };
        // A stream that is gone needs no end.
        let _ = match trailers {
            Some(trailers) => {
                self.lease.queue_trailers(trailers);
                sending.send_trailers(http::HeaderMap::new())
            }
            None => sending.send_data(Bytes::new(), true),
        };
        Ok(())
    }

    /// Whether the last of the request has just been handed over.
    pub(super) fn write(&mut self, encoded: bool) -> bool {
        encoded && !std::mem::replace(&mut self.request_told, encoded)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, may_read: bool) -> Poll<UpstreamEvent> {
        if !may_read && !matches!(self.receiving, Receiving::Failed(_)) {
            return self.watch(cx);
        }
        match &mut self.receiving {
            Receiving::Nothing => Poll::Pending,
            Receiving::Failed(reason) => Poll::Ready(UpstreamEvent::Reset(reason.clone())),
            Receiving::Headers(response) => {
                while let Poll::Ready(Some(Ok(response))) = response.poll_informational(cx) {
                    if let Some(headers) = self.lease.take_informational() {
                        return Poll::Ready(UpstreamEvent::Informational {
                            status: response.status().as_u16(),
                            headers,
                        });
                    }
                }
                match Pin::new(response).poll(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Ok(response)) => Poll::Ready(self.on_response(response)),
                    Poll::Ready(Err(error)) => Poll::Ready(self.failed(&error)),
                }
            }
            Receiving::Body(body) => {
                let event = ready!(poll_body(cx, body));
                Poll::Ready(match event {
                    Ok(BodyEvent::Data(data, end_stream)) => UpstreamEvent::Data(data, end_stream),
                    Ok(BodyEvent::Trailers) => self.on_trailers(),
                    Err(error) => self.failed(&error),
                })
            }
        }
    }

    /// While the response is not read: whether the host has given up.
    fn watch(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamEvent> {
        let Some(sending) = &mut self.sending else { return Poll::Pending };
        match sending.poll_reset(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(self.failed(&error)),
            // What was sent before a reset is still to be read.
            Poll::Ready(Ok(_)) | Poll::Pending => Poll::Pending,
        }
    }

    fn on_response(&mut self, response: http::Response<RecvStream>) -> UpstreamEvent {
        let (parts, body) = response.into_parts();
        // There is one, unless the connection is over.
        let Some(Ok(mut headers)) = self.lease.take_head() else { return self.refused() };
        let mut status = parts.status.as_u16();
        if let Some(protocol) = &self.upgrade
            && status == 200
        {
            upgrade::response_from_http2(&mut headers, protocol);
            status = 101;
        }
        let end_stream = body.is_end_stream();
        self.receiving = Receiving::Body(body);
        UpstreamEvent::Headers { status, headers, end_stream }
    }

    fn on_trailers(&mut self) -> UpstreamEvent {
        match self.lease.take_trailers() {
            Some(Ok(trailers)) => UpstreamEvent::Trailers(trailers),
            _ => self.refused(),
        }
    }

    /// More fields came than may, or larger ones. As in Envoy 1.40, which makes it look as if the host had reset the stream.
    fn refused(&mut self) -> UpstreamEvent {
        self.send_reset(Reason::INTERNAL_ERROR);
        UpstreamEvent::Reset(ResetReason::RemoteReset)
    }

    fn failed(&mut self, error: &h2::Error) -> UpstreamEvent {
        log::debug!(target: "upstream", "the stream failed: {error}");
        UpstreamEvent::Reset(self.reason(error))
    }

    fn reason(&self, error: &h2::Error) -> ResetReason {
        if let Some(fate) = self.lease.connection().fate() {
            return fate;
        }
        match error.reason() {
            // The host will not come to it any more, or says that it has not.
            Some(_) if error.is_go_away() && error.is_remote() => ResetReason::RemoteRefusedStream,
            Some(Reason::REFUSED_STREAM) if error.is_remote() => ResetReason::RemoteRefusedStream,
            // As in Envoy 1.40, whoever has said so.
            Some(Reason::PROTOCOL_ERROR) => ResetReason::ProtocolError,
            Some(_) if error.is_remote() => ResetReason::RemoteReset,
            Some(_) if error.is_library() => ResetReason::ProtocolError,
            _ => ResetReason::ConnectionTermination,
        }
    }

    pub(super) fn bytes(&self) -> ByteMeter {
        self.lease.bytes()
    }

    /// There will be no more of the response.
    pub(super) fn reset(mut self, reason: &ResetReason) {
        self.over = true;
        let stats = &self.cluster.stats;
        match reason {
            ResetReason::RemoteReset => stats.upstream_rq_rx_reset().inc(),
            ResetReason::ProtocolError => {
                stats.upstream_rq_tx_reset().inc();
                self.send_reset(Reason::PROTOCOL_ERROR);
            }
            ResetReason::ConnectionTermination => stats.upstream_rq_pending_failure_eject().inc(),
            _ => {}
        }
    }

    /// The response is complete. A request that is not is given up.
    pub(super) fn finish(mut self) {
        self.over = self.request_complete;
    }

    fn send_reset(&mut self, reason: Reason) {
        if let Some(sending) = &mut self.sending {
            sending.send_reset(reason);
        }
    }
}

impl Drop for Http2Exchange {
    fn drop(&mut self) {
        if !self.over {
            self.cluster.stats.upstream_rq_tx_reset().inc();
            self.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// How much of a body of `wanted` bytes may be sent now; nothing if none will be taken any more.
fn room(cx: &mut Context<'_>, sending: &mut SendStream<Bytes>, wanted: usize) -> Option<usize> {
    let room = sending.capacity();
    if room > 0 {
        return Some(room);
    }
    sending.reserve_capacity(wanted);
    match sending.poll_capacity(cx) {
        Poll::Pending => Some(0),
        Poll::Ready(Some(Ok(room))) => Some(room),
        Poll::Ready(Some(Err(_)) | None) => None,
    }
}

/// What comes behind a head.
enum BodyEvent {
    /// With the end of the stream, or without.
    Data(BodyBuffer, bool),
    /// They are decoded.
    Trailers,
}

fn poll_body(cx: &mut Context<'_>, body: &mut RecvStream) -> Poll<Result<BodyEvent, h2::Error>> {
    loop {
        match body.poll_data(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(Some(Ok(piece))) => {
                // As soon as the router has it, the host may send more: the router is not asked if it cannot take it.
                let _ = body.flow_control().release_capacity(piece.len());
                let end_stream = body.is_end_stream();
                if piece.is_empty() && !end_stream {
                    continue;
                }
                let mut data = BodyBuffer::new();
                data.push(piece);
                return Poll::Ready(Ok(BodyEvent::Data(data, end_stream)));
            }
            Poll::Ready(None) => break,
        }
    }
    body.poll_trailers(cx).map_ok(|trailers| match trailers {
        Some(_) => BodyEvent::Trailers,
        None => BodyEvent::Data(BodyBuffer::new(), true),
    })
}
