//! The filters that one attempt passes on its way to a host, and its response on its way back.

use std::rc::Rc;

use sandgate_filter::{DecodeEvent, EncodeEvent, FilterManager, HttpFilter, Stream};
use sandgate_http::{BodyBuffer, Direction, HeaderMap};

use super::UpstreamEvent;
use super::outgoing::{Outgoing, RequestEnd};

/// The chain of one attempt.
pub(crate) struct Chain {
    manager: FilterManager,
    /// The request's headers, which its filters are yet to see; whether they are all there is.
    headers: Option<bool>,
}

// === impl Chain ===

impl Chain {
    /// A chain for an attempt at the request of `origin`; nothing without filters.
    pub(super) fn new(origin: &Rc<Stream>, filters: impl Iterator<Item = Box<dyn HttpFilter>>) -> Option<Box<Self>> {
        let mut filters = filters.peekable();
        filters.peek()?;
        Some(Box::new(Self { manager: FilterManager::new(Stream::attempt_of(origin), filters), headers: None }))
    }

    /// The attempt as its filters see it.
    pub(super) fn stream(&self) -> &Stream {
        self.manager.stream()
    }

    /// The request's headers have come. [`Self::advance`] shows them to the filters.
    pub(super) fn push_headers(&mut self, end_stream: bool) {
        self.headers = Some(end_stream);
    }

    /// A piece of its body has come.
    pub(super) fn push_data(&mut self, data: BodyBuffer, end_stream: bool) {
        self.show_headers();
        self.manager.decode_data(data, end_stream);
    }

    /// Its trailers have come, which are in the stream that this is an attempt of.
    pub(super) fn push_trailers(&mut self) {
        self.show_headers();
        self.manager.decode_shared_trailers();
    }

    fn show_headers(&mut self) {
        if let Some(end_stream) = self.headers.take() {
            self.manager.decode_headers(end_stream);
        }
    }

    /// Whether it can take more of the request.
    pub(super) fn wants_request(&self) -> bool {
        self.manager.wants_request_data()
    }

    /// Whether it can take more of the response.
    pub(super) fn wants_response(&self) -> bool {
        self.manager.wants_response_data()
    }

    /// Does what filters asked for, and moves what they let through of the request to what waits for the connection.
    pub(super) fn advance(&mut self, outgoing: &mut Outgoing) {
        self.show_headers();
        self.manager.run_pending();
        while let Some(event) = self.manager.next_decode_event() {
            match event {
                DecodeEvent::Headers { end_stream } => {
                    outgoing.ready = true;
                    outgoing.headers_only = end_stream;
                    if end_stream {
                        outgoing.end = RequestEnd::Body;
                    }
                }
                DecodeEvent::Data { mut data, end_stream } => {
                    outgoing.body.append(&mut data);
                    if end_stream {
                        outgoing.end = RequestEnd::Body;
                    }
                }
                DecodeEvent::Trailers => outgoing.end = RequestEnd::Trailers,
            }
        }
    }

    /// Shows the filters what has come of the response; other events are none of theirs, and come back.
    pub(super) fn respond(&mut self, event: UpstreamEvent) -> Option<UpstreamEvent> {
        match event {
            UpstreamEvent::Informational { headers, .. } => self.manager.encode_1xx(headers),
            UpstreamEvent::Headers { headers, end_stream, .. } => {
                self.stream().info_mut().response_code_details = Some("via_upstream".to_owned());
                self.manager.encode_headers(headers, end_stream);
            }
            UpstreamEvent::Data(data, end_stream) => self.manager.encode_data(data, end_stream),
            UpstreamEvent::Trailers(trailers) => self.manager.encode_trailers(trailers),
            other => return Some(other),
        }
        None
    }

    /// What they have let through of it, or say themselves.
    pub(super) fn next_event(&mut self) -> Option<UpstreamEvent> {
        if let Some(reply) = self.manager.take_local_reply() {
            return Some(UpstreamEvent::LocalReply(reply));
        }
        Some(match self.manager.next_encode_event()? {
            EncodeEvent::Informational(headers) => {
                UpstreamEvent::Informational { status: status_of(&headers), headers }
            }
            EncodeEvent::Headers { end_stream } => {
                let headers = self.stream().take_headers(Direction::Response).unwrap_or_default();
                UpstreamEvent::Headers { status: status_of(&headers), headers, end_stream }
            }
            EncodeEvent::Data { data, end_stream } => UpstreamEvent::Data(data, end_stream),
            EncodeEvent::Trailers => {
                let trailers = self.stream().take_trailers(Direction::Response);
                UpstreamEvent::Trailers(trailers.unwrap_or_default())
            }
            EncodeEvent::Reset => UpstreamEvent::ResetByFilter,
        })
    }
}

/// The chain lets no headers through that have no status.
fn status_of(headers: &HeaderMap) -> u16 {
    headers.get(b":status").and_then(|status| std::str::from_utf8(status).ok()?.parse().ok()).unwrap_or_default()
}
