//! What waits until the client takes it: the rest of a stream's response.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;
use sandgate_http::BodyBuffer;

/// A response's body on its way into the `h2` crate, as the client's window allows.
#[derive(Debug, Default)]
pub(super) struct Output {
    waiting: BodyBuffer,
    end: End,
}

/// What comes after the body.
#[derive(Debug, Default)]
enum End {
    #[default]
    NotYet,
    Body,
    /// Trailers, which the connection has.
    Trailers,
    Sent,
}

/// The stream is reset, or its connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Output {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the end is in the `h2` crate.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.end, End::Sent)
    }

    pub(super) fn push(&mut self, mut data: BodyBuffer, end_stream: bool) {
        self.waiting.append(&mut data);
        if end_stream {
            self.end = End::Body;
        }
    }

    pub(super) fn end_with_trailers(&mut self) {
        self.end = End::Trailers;
    }

    /// There is nothing but headers.
    pub(super) fn set_complete(&mut self) {
        self.end = End::Sent;
    }

    /// Hands over as much as the windows allow; whether anything moved.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, stream: &mut SendStream<Bytes>) -> Result<bool, Gone> {
        let mut moved = false;
        while !self.waiting.is_empty() {
            if stream.capacity() == 0 {
                stream.reserve_capacity(self.waiting.len());
            }
            let mut capacity = stream.capacity();
            while capacity == 0 {
                match stream.poll_capacity(cx) {
                    Poll::Pending => return Ok(moved),
                    Poll::Ready(Some(Ok(count))) => capacity = count,
                    Poll::Ready(Some(Err(_)) | None) => return Err(Gone),
                }
            }
            let Some(mut piece) = self.waiting.pop() else { break };
            if piece.len() > capacity {
                self.waiting.prepend(piece.split_off(capacity));
            }
            let end_stream = self.waiting.is_empty() && matches!(self.end, End::Body);
            stream.send_data(piece, end_stream).map_err(|_| Gone)?;
            moved = true;
            if end_stream {
                self.end = End::Sent;
            }
        }
        match std::mem::take(&mut self.end) {
            End::Body => stream.send_data(Bytes::new(), true).map_err(|_| Gone)?,
            End::Trailers => stream.send_trailers(http::HeaderMap::new()).map_err(|_| Gone)?,
            other => {
                self.end = other;
                return Ok(moved);
            }
        }
        self.end = End::Sent;
        Ok(true)
    }
}
