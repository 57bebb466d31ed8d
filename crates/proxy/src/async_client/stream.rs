//! A request of our own whose response comes piece by piece.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use sandgate_config::model::RouteAction;
use sandgate_filter::{
    DecodeEvent, PreparedLocalReply, RequestKind, Stream, StreamOptions, is_grpc_request, prepare_local_reply,
};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

use super::{AsyncCallbacks, AsyncOptions, AsyncReply};
use crate::cluster::WorkerCluster;
use crate::route_table::RouteEntry;
use crate::router::{Router, RouterEvent};
use crate::worker::{Worker, guarded};

/// The sending half of a request. Dropped, it resets what is not complete, of which the callbacks hear nothing.
pub(crate) struct AsyncStream(Rc<Shared>);

/// What the sender and the stream's task share.
struct Shared {
    stream: Rc<Stream>,
    /// On the way to the host.
    events: RefCell<VecDeque<DecodeEvent>>,
    queued_bytes: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    /// Nothing more of the request will come.
    local_closed: Cell<bool>,
    /// The callbacks have heard the end.
    over: Cell<bool>,
    dropped: Cell<bool>,
}

/// The other half: what moves bytes and calls back.
struct Pump {
    shared: Rc<Shared>,
    router: Router,
    callbacks: Box<dyn AsyncCallbacks>,
    kind: RequestKind,
    headers_sent: bool,
}

// === impl AsyncStream ===

impl AsyncStream {
    /// Sends a request's headers, which are all of it if `end_stream`. Call inside a `LocalSet`.
    ///
    /// # Errors
    /// The answer, if there is one without asking anybody.
    pub(crate) fn start(
        worker: &Rc<Worker>,
        cluster: &Rc<WorkerCluster>,
        mut headers: HeaderMap,
        end_stream: bool,
        options: AsyncOptions,
        callbacks: Box<dyn AsyncCallbacks>,
    ) -> Result<Self, Box<AsyncReply>> {
        let kind =
            RequestKind { is_head: headers.get(b":method") == Some(b"HEAD"), is_grpc: is_grpc_request(&headers) };
        if headers.get(b":scheme").is_none() {
            // Envoy's router sees to it: nobody downstream has said what it is.
            headers.append(b":scheme", b"http");
        }
        if options.send_internal {
            headers.set(b"x-envoy-internal", b"true");
        }
        if options.send_xff {
            worker.append_to_forwarded_for(&mut headers);
        }
        let now = Instant::now();
        let stream = Stream::new(
            Rc::default(),
            &StreamOptions {
                buffer_limit: options.buffer_limit,
                protocol: Some("HTTP/1.1"),
                start_time: SystemTime::now(),
                start: now,
            },
        );
        stream.set_headers(Direction::Request, headers);
        let mut action = RouteAction::new("");
        action.timeout = options.timeout;
        action.hash_policies = options.hash_policies;
        action.retry_policy = options.retry_policy;
        let route = RouteEntry::unlisted(&cluster.config.name, &action);
        let mut router = Router::new(worker, &worker.async_router, &stream);
        worker.async_router.stats.show();
        // The task's first poll tells everything who to wake.
        router.begin_own(&mut Context::from_waker(Waker::noop()), &route, end_stream, now);
        if let Some(RouterEvent::LocalReply(reply)) = router.take_answer() {
            let PreparedLocalReply { headers, body } = prepare_local_reply(&reply, kind);
            return Err(Box::new(AsyncReply { headers, body, details: reply.details }));
        }
        let shared = Rc::new(Shared {
            stream,
            events: RefCell::default(),
            queued_bytes: Cell::new(0),
            waker: RefCell::default(),
            local_closed: Cell::new(end_stream),
            over: Cell::new(false),
            dropped: Cell::new(false),
        });
        let pump = Pump { shared: Rc::clone(&shared), router, callbacks, kind, headers_sent: false };
        tokio::task::spawn_local(guarded("request of our own", pump.run()));
        Ok(Self(shared))
    }

    /// Sends a piece of body; nothing after the end of the request or of the response.
    pub(crate) fn send_data(&self, data: BodyBuffer, end_stream: bool) {
        self.0.push(DecodeEvent::Data { data, end_stream }, end_stream);
    }

    /// Bytes that the host has not taken yet.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.0.queued_bytes.get()
    }

    /// Envoy's response code details: how the response came about, once its headers have come (`via_upstream`), or how it ended.
    pub(crate) fn details(&self) -> String {
        self.0.stream.info().response_code_details.clone().unwrap_or_default()
    }
}

impl Drop for AsyncStream {
    fn drop(&mut self) {
        self.0.dropped.set(true);
        self.0.wake();
    }
}

// === impl Shared ===

impl Shared {
    fn push(&self, event: DecodeEvent, end: bool) {
        if self.local_closed.get() || self.over.get() {
            return;
        }
        self.local_closed.set(end);
        if let DecodeEvent::Data { data, .. } = &event {
            self.queued_bytes.set(self.queued_bytes.get() + data.len());
        }
        self.events.borrow_mut().push_back(event);
        self.wake();
    }

    fn pop(&self) -> Option<DecodeEvent> {
        let event = self.events.borrow_mut().pop_front()?;
        if let DecodeEvent::Data { data, .. } = &event {
            self.queued_bytes.set(self.queued_bytes.get() - data.len());
        }
        Some(event)
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

// === impl Pump ===

impl Pump {
    /// Runs until the callbacks have heard the end, or nobody wants to hear it any more.
    async fn run(mut self) {
        let mut sleep = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            *self.shared.waker.borrow_mut() = Some(cx.waker().clone());
            self.shared.stream.register_waker(cx.waker());
            if self.poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Some(deadline) = self.router.deadline() {
                sleep.as_mut().reset(deadline.into());
                if sleep.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
            Poll::Pending
        })
        .await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        loop {
            if self.shared.dropped.get() || self.shared.over.get() {
                return Poll::Ready(());
            }
            let mut moved = false;
            while self.router.can_take()
                && let Some(event) = self.shared.pop()
            {
                moved = true;
                self.router.on_decode_event(cx, event, None, now);
            }
            match self.router.poll(cx, now, true) {
                Poll::Ready(event) => self.on_event(event),
                Poll::Pending if moved || (self.router.can_take() && !self.shared.events.borrow().is_empty()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn on_event(&mut self, event: RouterEvent) {
        match event {
            RouterEvent::Informational(_) => {}
            RouterEvent::Headers(headers, end) => self.on_headers(headers, end),
            RouterEvent::Data(data, end) => self.on_data(data, end),
            RouterEvent::Trailers(trailers) => {
                self.callbacks.on_trailers(trailers);
                self.complete();
            }
            RouterEvent::LocalReply(reply) if !self.headers_sent => self.on_local_reply(&reply),
            RouterEvent::LocalReply(LocalReply { details, .. }) | RouterEvent::Reset(details) => {
                self.shared.stream.info_mut().response_code_details = Some(details);
                self.shared.over.set(true);
                self.callbacks.on_reset();
            }
        }
    }

    fn on_local_reply(&mut self, reply: &LocalReply) {
        self.shared.stream.info_mut().response_code_details = Some(reply.details.clone());
        let PreparedLocalReply { headers, body } = prepare_local_reply(reply, self.kind);
        let end = body.is_empty();
        self.on_headers(headers, end);
        if !end && !self.shared.dropped.get() {
            let mut data = BodyBuffer::new();
            data.push(body);
            self.on_data(data, true);
        }
    }

    fn on_headers(&mut self, headers: HeaderMap, end: bool) {
        self.headers_sent = true;
        self.callbacks.on_headers(headers, end);
        if end {
            self.complete();
        }
    }

    fn on_data(&mut self, data: BodyBuffer, end: bool) {
        self.callbacks.on_data(data, end);
        if end {
            self.complete();
        }
    }

    fn complete(&mut self) {
        if !self.shared.dropped.get() {
            self.shared.over.set(true);
            self.callbacks.on_complete();
        }
    }
}
