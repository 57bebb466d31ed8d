//! What answers at the end of a decoder chain: the router, or the admin pages.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use sandgate_filter::{DecodeEvent, Stream};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, HeaderMapKind};

use crate::admin::{self, AdminContext, AdminRequest};
use crate::hcm::{Hcm, TerminalFactory};
use crate::route_table::RouteEntry;
use crate::router::{Router, RouterEvent};
use crate::worker::Worker;

pub(crate) enum Terminal {
    Router(Box<Router>),
    Admin(AdminTerminal),
}

/// Answers with an admin page once the request is complete.
pub(crate) struct AdminTerminal {
    context: Arc<AdminContext>,
    stream: Rc<Stream>,
    request_body: Vec<u8>,
    headers: Option<HeaderMap>,
    body: Option<Bytes>,
}

/// What is read of a form; the rest is dropped.
const MAX_FORM: usize = 1024 * 1024;

impl Terminal {
    pub(crate) fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, stream: &Rc<Stream>) -> Self {
        match &hcm.terminal {
            TerminalFactory::Router(config) => Self::Router(Box::new(Router::new(worker, config, stream))),
            TerminalFactory::Discovered(filter, default) => {
                let config = filter.router();
                Self::Router(Box::new(Router::new(worker, config.as_ref().unwrap_or(default), stream)))
            }
            TerminalFactory::Admin(context) => Self::Admin(AdminTerminal {
                context: Arc::clone(context),
                stream: Rc::clone(stream),
                request_body: Vec::new(),
                headers: None,
                body: None,
            }),
        }
    }

    /// The request gets the protocol that it asks for, should the host agree.
    pub(crate) fn allow_upgrade(&mut self) {
        if let Self::Router(router) = self {
            router.allow_upgrade();
        }
    }

    pub(crate) fn can_take(&self) -> bool {
        match self {
            Self::Router(router) => router.can_take(),
            Self::Admin(_) => true,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Router(router) => router.deadline(),
            Self::Admin(_) => None,
        }
    }

    pub(crate) fn on_decode_event(
        &mut self,
        cx: &mut Context<'_>,
        event: DecodeEvent,
        route: Option<&Rc<RouteEntry>>,
        now: Instant,
    ) {
        match self {
            Self::Router(router) => router.on_decode_event(cx, event, route, now),
            Self::Admin(admin) => admin.on_decode_event(event),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, may_read: bool) -> Poll<RouterEvent> {
        match self {
            Self::Router(router) => router.poll(cx, now, may_read),
            Self::Admin(admin) => admin.poll(),
        }
    }

    /// An answer that needs no upstream, if the request got one.
    pub(crate) fn take_answer(&mut self) -> Option<RouterEvent> {
        match self {
            Self::Router(router) => router.take_answer(),
            Self::Admin(_) => None,
        }
    }

    /// The stream is over: what is not told of it yet.
    pub(crate) fn note_bytes(&mut self) {
        if let Self::Router(router) = self {
            router.note_bytes();
        }
    }

    /// Nobody wants an answer any more.
    pub(crate) fn abort(&mut self) {
        match self {
            Self::Router(router) => router.abort(),
            Self::Admin(admin) => (admin.headers, admin.body) = (None, None),
        }
    }
}

impl AdminTerminal {
    fn on_decode_event(&mut self, event: DecodeEvent) {
        let complete = match event {
            DecodeEvent::Headers { end_stream } => end_stream,
            DecodeEvent::Data { data, end_stream } => {
                let room = MAX_FORM.saturating_sub(self.request_body.len());
                self.request_body.extend(data.segments().flatten().take(room));
                end_stream
            }
            DecodeEvent::Trailers => true,
        };
        if !complete {
            return;
        }
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
        self.headers = Some(headers);
        self.body = Some(Bytes::from(response.body));
    }

    fn poll(&mut self) -> Poll<RouterEvent> {
        if let Some(headers) = self.headers.take() {
            return Poll::Ready(RouterEvent::Headers(headers, false));
        }
        match self.body.take() {
            Some(body) => {
                let mut data = BodyBuffer::new();
                data.push(body);
                Poll::Ready(RouterEvent::Data(data, true))
            }
            None => Poll::Pending,
        }
    }
}
