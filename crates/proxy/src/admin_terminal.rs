//! What answers the requests of the admin interface: a page once the request is complete, and calls by gRPC message by message.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use sandgate_filter::{DecodeEvent, Stream};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, HeaderMapKind};

use crate::admin::{self, AdminContext, AdminRequest, client_status};
use crate::callouts::grpc_frames::{FrameDecoder, frame};
use crate::router::RouterEvent;

/// One request's.
pub(crate) struct AdminTerminal {
    context: Arc<AdminContext>,
    stream: Rc<Stream>,
    request_body: Vec<u8>,
    /// A call by gRPC, until it has ended.
    call: Option<FrameDecoder>,
    /// What is to be answered.
    events: VecDeque<RouterEvent>,
}

/// What is read of a form, and of a message; the rest of a form is dropped.
const MAX_BODY: usize = 1024 * 1024;
/// gRPC's `INVALID_ARGUMENT`.
const INVALID_ARGUMENT: u32 = 3;

impl AdminTerminal {
    pub(crate) fn new(context: &Arc<AdminContext>, stream: &Rc<Stream>) -> Self {
        let (context, stream) = (Arc::clone(context), Rc::clone(stream));
        Self { context, stream, request_body: Vec::new(), call: None, events: VecDeque::new() }
    }

    pub(crate) fn on_decode_event(&mut self, event: DecodeEvent) {
        let complete = match event {
            DecodeEvent::Headers { end_stream } => {
                self.begin();
                end_stream
            }
            DecodeEvent::Data { data, end_stream } => {
                if self.call.is_some() {
                    self.take(data);
                } else {
                    let room = MAX_BODY.saturating_sub(self.request_body.len());
                    self.request_body.extend(data.segments().flatten().take(room));
                }
                end_stream
            }
            DecodeEvent::Trailers => true,
        };
        if complete && self.call.is_some() {
            self.end_call(0, "");
        } else if complete && self.events.is_empty() {
            self.answer();
        }
    }

    pub(crate) fn poll(&mut self) -> Poll<RouterEvent> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    /// Nobody wants an answer any more.
    pub(crate) fn abort(&mut self) {
        self.call = None;
        self.events.clear();
    }

    /// The headers have come: of a call they are answered at once.
    fn begin(&mut self) {
        let request = self.stream.headers(Direction::Request);
        let header = |name: &[u8]| request.as_ref().and_then(|headers| headers.get(name)).unwrap_or_default();
        if !client_status::is_call(&self.context, header(b":path"), header(b"content-type")) {
            return;
        }
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
        headers.append(b":status", b"200");
        headers.append(b"content-type", b"application/grpc");
        self.call = Some(FrameDecoder::with_limit(MAX_BODY));
        self.events.push_back(RouterEvent::Headers(headers, false));
    }

    /// Part of the messages of a call.
    fn take(&mut self, data: BodyBuffer) {
        let Some(call) = &mut self.call else { return };
        let Ok(messages) = call.decode(data) else { return self.end_call(INVALID_ARGUMENT, "not a message") };
        for message in messages {
            if message.compressed {
                return self.end_call(INVALID_ARGUMENT, "a compressed message");
            }
            let bytes: Vec<u8> = message.data.segments().flatten().copied().collect();
            match client_status::answer(&self.context, &bytes) {
                Ok(answer) => {
                    let mut data = BodyBuffer::new();
                    data.push(frame(&answer));
                    self.events.push_back(RouterEvent::Data(data, false));
                }
                Err(reason) => return self.end_call(INVALID_ARGUMENT, &reason),
            }
        }
    }

    fn end_call(&mut self, status: u32, message: &str) {
        self.call = None;
        let mut trailers = HeaderMap::with_kind(HeaderMapKind::ResponseTrailers);
        trailers.append(b"grpc-status", status.to_string().as_bytes());
        if !message.is_empty() {
            trailers.append(b"grpc-message", message.as_bytes());
        }
        self.events.push_back(RouterEvent::Trailers(trailers));
    }

    /// The request is complete: the page that it asks for.
    fn answer(&mut self) {
        let request = self.stream.headers(Direction::Request);
        let header = |name: &[u8]| request.as_ref().and_then(|headers| headers.get(name)).unwrap_or_default();
        let request = AdminRequest {
            method: header(b":method"),
            path: header(b":path"),
            content_type: header(b"content-type"),
            body: &self.request_body,
        };
        let response = admin::respond(&self.context, request);
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
        headers.append(b":status", response.status.to_string().as_bytes());
        for (name, value) in response.headers() {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        self.stream.info_mut().response_code_details = Some("admin_filter_response".to_owned());
        self.events.push_back(RouterEvent::Headers(headers, false));
        let mut data = BodyBuffer::new();
        data.push(Bytes::from(response.body));
        self.events.push_back(RouterEvent::Data(data, true));
    }
}
