//! The receiving half of a stream to a control plane.

use std::cell::OnceCell;
use std::rc::{Rc, Weak};

use bytes::{Bytes, BytesMut};
use sandgate_filter::grpc_status_from_http;
use sandgate_http::{BodyBuffer, HeaderMap};

use super::channel::Channel;
use super::grpc::Closed;
use crate::async_client::{AsyncCallbacks, AsyncStream};
use crate::callouts::grpc::{INTERNAL, RESOURCE_EXHAUSTED, UNKNOWN, full_message, http_status, status_of};
use crate::callouts::grpc_frames::{FrameDecoder, FrameError};

pub(super) struct Receiver {
    channel: Weak<Channel>,
    generation: u64,
    decoder: FrameDecoder,
    /// Once the stream has begun.
    stream: Rc<OnceCell<Weak<AsyncStream>>>,
}

impl Receiver {
    /// Messages may be as long as `limit` says, without an end if it is 0.
    pub(super) fn new(
        channel: &Rc<Channel>,
        generation: u64,
        limit: usize,
        stream: &Rc<OnceCell<Weak<AsyncStream>>>,
    ) -> Self {
        let decoder = FrameDecoder::with_limit(limit);
        Self { channel: Rc::downgrade(channel), generation, decoder, stream: Rc::clone(stream) }
    }

    /// The channel, if it still is about this stream.
    fn channel(&self) -> Option<Rc<Channel>> {
        self.channel.upgrade().filter(|channel| channel.is_current(self.generation))
    }

    fn end(&self, trailers: &HeaderMap, status: u32) {
        if let Some(channel) = self.channel() {
            let details = self.stream.get().and_then(Weak::upgrade).map(|stream| stream.details());
            let message = full_message(trailers, &details.unwrap_or_default());
            channel.on_end(Closed { status, message });
        }
    }
}

impl AsyncCallbacks for Receiver {
    fn on_headers(&mut self, headers: HeaderMap, end_stream: bool) {
        let (http, status) = (http_status(&headers), status_of(&headers));
        if http != 200 && (!end_stream || status.is_none()) {
            self.end(&HeaderMap::new(), grpc_status_from_http(http));
        } else if end_stream {
            self.end(&headers, status.unwrap_or(UNKNOWN));
        }
    }

    fn on_data(&mut self, data: BodyBuffer, end_stream: bool) {
        let messages = match self.decoder.decode(data) {
            Ok(messages) => messages,
            Err(FrameError::Flag) => return self.end(&HeaderMap::new(), INTERNAL),
            Err(FrameError::TooLong) => return self.end(&HeaderMap::new(), RESOURCE_EXHAUSTED),
        };
        for message in messages {
            if message.compressed && !message.data.is_empty() {
                return self.end(&HeaderMap::new(), INTERNAL);
            }
            // The last message may have ended this.
            let Some(channel) = self.channel() else { return };
            channel.on_message(joined(message.data));
        }
        if end_stream {
            self.end(&HeaderMap::new(), UNKNOWN);
        }
    }

    fn on_trailers(&mut self, trailers: HeaderMap) {
        let status = status_of(&trailers).unwrap_or(UNKNOWN);
        self.end(&trailers, status);
    }

    fn on_complete(&mut self) {}

    fn on_reset(&mut self) {
        self.end(&HeaderMap::new(), INTERNAL);
    }
}

/// In one piece, of which resources are then parts.
fn joined(mut data: BodyBuffer) -> Bytes {
    let length = data.len();
    match data.pop() {
        Some(only) if only.len() == length => only,
        first => {
            let mut all = BytesMut::with_capacity(length);
            let rest = std::iter::from_fn(|| data.pop());
            first.into_iter().chain(rest).for_each(|piece| all.extend_from_slice(&piece));
            all.freeze()
        }
    }
}
