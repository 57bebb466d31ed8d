//! One HTTP/2 connection to a host, for checks: one request at a time.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{Reason, SendStream};
use sandgate_http::{HeaderMap, HeaderMapKind};
use sandgate_load_balancing::Host;
use tokio::task::JoinHandle;

use super::Connector;
use crate::http2::headers;

/// Bytes of a response that may come before they are taken.
const WINDOW: u32 = 1 << 20;

/// A connection and the task that moves its bytes, which ends with this.
pub(super) struct Http2Client {
    send: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

/// A request in flight: reset, when it is given up.
struct Asking {
    sending: SendStream<Bytes>,
    answered: bool,
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.answered {
            self.sending.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// A whole response, with as much of its body as is looked at.
pub(super) struct Http2Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: BytesMut,
    pub(super) trailers: Option<HeaderMap>,
}

// === impl Http2Client ===

impl Http2Client {
    /// Connects. Inside a `LocalSet`.
    pub(super) async fn open(connector: &Connector, host: &Host) -> io::Result<Self> {
        let stream = connector.connect(host).await?;
        let (send, codec) = Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let driver = tokio::task::spawn_local(async move {
            if let Err(error) = codec.await {
                log::debug!(target: "hc", "a connection for checks failed: {error}");
            }
        });
        Ok(Self { send, driver })
    }

    /// Whether another request may be sent.
    pub(super) fn is_usable(&self) -> bool {
        let ready = self.send.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        !self.driver.is_finished() && !matches!(ready, Poll::Ready(Err(_)))
    }

    /// Sends a request and awaits the response, of which up to `limit` bytes of the body are kept.
    pub(super) async fn ask(
        &mut self,
        request: http::Request<()>,
        body: Option<Bytes>,
        limit: usize,
    ) -> Result<Http2Response, h2::Error> {
        let mut send = self.send.clone();
        let (response, sending) = send.send_request(request, body.is_none())?;
        let mut sending = Asking { sending, answered: false };
        if let Some(body) = body {
            // A few bytes, which the connection may keep until there is a window for them.
            sending.sending.send_data(body, true)?;
        }
        let (parts, mut receiving) = response.await?.into_parts();
        let mut body = BytesMut::new();
        while let Some(piece) = poll_fn(|cx| receiving.poll_data(cx)).await {
            let piece = piece?;
            let room = limit.saturating_sub(body.len()).min(piece.len());
            body.extend_from_slice(piece.get(..room).unwrap_or_default());
            receiving.flow_control().release_capacity(piece.len())?;
        }
        let trailers = poll_fn(|cx| receiving.poll_trailers(cx)).await?;
        sending.answered = true;
        Ok(Http2Response {
            status: parts.status.as_u16(),
            headers: headers::response_headers(&parts),
            body,
            trailers: trailers.map(|fields| headers::trailers(&fields, HeaderMapKind::Response)),
        })
    }
}

impl Drop for Http2Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
