//! One request and its response between a downstream codec and the filter chain: the part of the connection manager that
//! is the same for every HTTP version.

mod failure;
mod refusal;
mod route;
mod timers;
mod unread;
mod upgrade;

use std::cell::Ref;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime};

use sandgate_filter::{
    ByteMeter, ConnectionInfo, EncodeEvent, FilterManager, LocalReplyRewriter, RouteChooser, Stream, StreamOptions,
};
use sandgate_formatter::AccessLogType;
use sandgate_http::h1::is_upgrade;
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

use crate::hcm::Hcm;
use crate::request_headers::{self, RequestContext};
use crate::response_headers;
use crate::route_table::{Chance, RouteEntry, RouteTable};
use crate::router::RouterEvent;
use crate::terminal::Terminal;
use crate::upgrade::Upgrade;
use crate::worker::Worker;

pub(crate) use timers::{StreamTimeout, StreamTimers};
pub(crate) use unread::log_unread;

/// When a request began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestStart {
    pub(crate) instant: Instant,
    pub(crate) time: SystemTime,
}

/// What the codec says of a request beside its headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestKind {
    pub(crate) protocol: &'static str,
    /// No body and no trailers follow.
    pub(crate) end_stream: bool,
    /// It asks for another protocol, or is CONNECT.
    pub(crate) upgrade: bool,
    /// Bytes that have come.
    pub(crate) bytes: ByteMeter,
}

/// What the codec is to do.
#[derive(Debug)]
pub(crate) enum ResponseEvent {
    /// A 1xx response; only 100 comes this far, and of its headers nothing is written.
    Informational,
    /// The response headers, which are in the stream.
    Headers {
        end_stream: bool,
    },
    Data(BodyBuffer, bool),
    /// The response trailers, which are in the stream; the end.
    Trailers,
    Reset,
}

/// A stream in flight.
pub(crate) struct ActiveStream {
    worker: Rc<Worker>,
    hcm: Rc<Hcm>,
    stream: Rc<Stream>,
    manager: FilterManager,
    terminal: Terminal,
    /// The routes as they were when it began.
    routes: Rc<RouteTable>,
    route: Option<Rc<RouteEntry>>,
    chooser: Option<Rc<route::Chooser>>,
    /// For what is decided by chance, each time in the same way.
    random: u64,
    timers: StreamTimers,
    request_complete: bool,
    /// When the access logs want their next entry.
    log_at: Option<Instant>,
    ends_connection: bool,
    /// Whether it gets the protocol that it asks for; `None` if it asks for none.
    upgraded: Option<bool>,
}

// === impl RequestStart ===

impl RequestStart {
    pub(crate) fn now(instant: Instant) -> Self {
        Self { instant, time: SystemTime::now() }
    }
}

// === impl ActiveStream ===

impl ActiveStream {
    /// A stream whose headers have come; it is counted already.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        hcm: &Rc<Hcm>,
        connection: &Rc<ConnectionInfo>,
        start: RequestStart,
        mut headers: HeaderMap,
        kind: RequestKind,
        now: Instant,
    ) -> Self {
        let mut refusal = refusal::refusal(&mut headers, hcm);
        let mut connection = Rc::clone(connection);
        if refusal.is_none() {
            if !hcm.config.early_header_mutations.is_empty() {
                let clocks = (start.time, start.instant);
                let mutations = &hcm.config.early_header_mutations;
                request_headers::early::mutate(&mut headers, mutations, &connection, kind.protocol, clocks);
            }
            let context = RequestContext {
                config: &hcm.config,
                peer: connection.remote_address,
                local_ip: worker.local_ip,
                local_port: connection.local_address.map(|address| address.port()),
                user_agent: hcm.user_agent.as_deref(),
                tls: connection.tls.as_deref(),
                upgrade: kind.upgrade && is_upgrade(&headers),
            };
            match request_headers::mutate(&mut headers, &context) {
                Ok(client) if client != connection.remote_address => {
                    let seen = ConnectionInfo {
                        remote_address: client,
                        connection_remote_address: connection.source_address(),
                        ..ConnectionInfo::clone(&connection)
                    };
                    connection = Rc::new(seen);
                }
                Ok(_) => {}
                Err(failed) => {
                    hcm.stats.downstream_rq_rejected_via_ip_detection().inc();
                    refusal = Some(reply(failed.0.into(), "", "rejecting_because_detection_failed"));
                }
            }
        }
        let timers = StreamTimers::new(&hcm.config, start.instant, now);
        let mut this =
            Self::build(worker, hcm, &connection, start, (kind.protocol, Some(headers), kind.upgrade), timers);
        {
            let mut info = this.stream.info_mut();
            info.headers_rx = Some(now);
            info.bytes = kind.bytes;
        }
        this.note_request_end(kind.end_stream, now);
        if let Some(reply) = refusal {
            // Envoy answers no other request of a client that sends no host or a path without sense.
            this.ends_connection = matches!(reply.status, 400);
            this.upgraded = None;
            this.manager.local_reply(reply);
            return this;
        }
        this.note_route();
        this.begin_upgrade();
        if hcm.access_logs.on_new_request() {
            hcm.access_logs.log(&this.stream, AccessLogType::DownstreamStart, now);
        }
        if !this.answer_refused_upgrade() {
            this.manager.decode_headers(kind.end_stream);
        }
        this
    }

    /// A stream whose headers never came whole: only a local reply can come of it.
    pub(crate) fn without_headers(
        worker: &Rc<Worker>,
        hcm: &Rc<Hcm>,
        connection: &Rc<ConnectionInfo>,
        start: RequestStart,
        now: Instant,
    ) -> Self {
        let timers = StreamTimers::new(&hcm.config, start.instant, now);
        Self::build(worker, hcm, connection, start, ("HTTP/1.1", None, false), timers)
    }

    fn build(
        worker: &Rc<Worker>,
        hcm: &Rc<Hcm>,
        connection: &Rc<ConnectionInfo>,
        start: RequestStart,
        (protocol, headers, asks_upgrade): (&'static str, Option<HeaderMap>, bool),
        timers: StreamTimers,
    ) -> Self {
        let options = StreamOptions {
            buffer_limit: hcm.stream_buffer_limit(protocol),
            protocol: Some(protocol),
            start_time: start.time,
            start: start.instant,
        };
        let stream = Stream::new(Rc::clone(connection), &options);
        if let Some(replies) = &hcm.local_replies {
            stream.set_local_reply_rewriter(Rc::clone(replies) as Rc<dyn LocalReplyRewriter>);
        }
        let random = fastrand::u64(..);
        let routes = hcm.routes.get();
        let mut route = None;
        let mut upgrade = Upgrade::NotAsked;
        if let Some(headers) = headers {
            // The route comes before the filters: it may say which of them there are.
            let chance = Chance { random, runtime: &worker.runtime };
            route = routes.find(&headers, &stream, chance);
            if asks_upgrade {
                upgrade = Upgrade::decide(&hcm.upgrades, &headers, route.as_deref());
            }
            stream.set_headers(Direction::Request, headers);
        }
        let manager = FilterManager::new(Rc::clone(&stream), hcm.make_filters(route.as_deref(), upgrade));
        let chooser = route::Chooser::new(worker, hcm, &routes, random);
        if let Some(chooser) = &chooser {
            stream.set_route_chooser(Rc::clone(chooser) as Rc<dyn RouteChooser>);
        }
        let terminal = Terminal::new(worker, hcm, &stream);
        Self {
            worker: Rc::clone(worker),
            hcm: Rc::clone(hcm),
            stream,
            manager,
            terminal,
            routes,
            route,
            chooser,
            random,
            timers,
            request_complete: false,
            log_at: hcm.access_logs.interval().map(|interval| start.instant + interval),
            ends_connection: false,
            upgraded: upgrade.is_accepted(),
        }
    }

    /// Whether the connection takes no other request.
    pub(crate) fn ends_connection(&self) -> bool {
        self.ends_connection
    }

    /// Whether the client has sent all of the request.
    pub(crate) fn request_complete(&self) -> bool {
        self.request_complete
    }

    /// Whether more of the request should be read.
    pub(crate) fn wants_request_data(&self) -> bool {
        self.manager.wants_request_data() && self.terminal.can_take()
    }

    pub(crate) fn response_headers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.stream.headers(Direction::Response)
    }

    pub(crate) fn response_trailers(&self) -> Option<Ref<'_, HeaderMap>> {
        self.stream.trailers(Direction::Response)
    }

    /// Whether a reply made here called the request bad.
    pub(crate) fn is_bad_request(&self) -> bool {
        self.stream.is_bad_request()
    }

    pub(crate) fn response_code(&self) -> Option<u32> {
        self.stream.info().response_code
    }

    /// Bytes of the client's connection that are this stream's, so far.
    pub(crate) fn set_bytes(&self, bytes: ByteMeter) {
        self.stream.info_mut().bytes = bytes;
    }

    /// Sets `connection` in the response, as the codec's connection wants it.
    pub(crate) fn set_connection_header(&self, value: &[u8]) {
        if let Some(mut headers) = self.stream.headers_mut(Direction::Response) {
            headers.set(b"connection", value);
        }
    }

    pub(crate) fn request_data(&mut self, data: BodyBuffer, end_stream: bool, now: Instant) {
        self.note_request_end(end_stream, now);
        self.timers.moved(now);
        self.manager.decode_data(data, end_stream);
    }

    pub(crate) fn request_trailers(&mut self, trailers: HeaderMap, now: Instant) {
        self.note_request_end(true, now);
        self.timers.moved(now);
        self.manager.decode_trailers(trailers);
    }

    fn note_request_end(&mut self, end_stream: bool, now: Instant) {
        if end_stream {
            self.request_complete = true;
            self.timers.request_complete();
            self.stream.info_mut().last_downstream_rx = Some(now);
        }
    }

    /// Moves the request as far as it goes without waiting for anybody; whether that was enough for an answer.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        self.manager.run_pending();
        self.forward(cx, now);
        if let Some(event) = self.terminal.take_answer() {
            self.on_router_event(event);
        }
        self.manager.response_started()
    }

    /// Hands on what has come through the decoder filters, before more comes.
    pub(crate) fn pass_on(&mut self, cx: &mut Context<'_>, now: Instant) {
        self.forward(cx, now);
    }

    /// Hands the terminal what has come through the decoder filters.
    fn forward(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        while self.terminal.can_take()
            && let Some(event) = self.manager.next_decode_event()
        {
            self.refresh_route();
            self.terminal.on_decode_event(cx, event, self.route.as_ref(), now);
            moved = true;
        }
        moved
    }

    /// Moves everything as far as it goes. `may_write` is whether the codec can take more of the response.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, may_write: bool) -> bool {
        let mut progress = false;
        self.stream.register_waker(cx.waker());
        loop {
            let mut moved = false;
            if self.stream.has_pending() {
                self.manager.run_pending();
                moved = true;
            }
            moved |= self.forward(cx, now);
            if self.manager.decode_stopped() {
                self.terminal.abort();
            } else {
                let may_read = may_write && self.manager.wants_response_data();
                let was_full = !self.terminal.can_take();
                if let Poll::Ready(event) = self.terminal.poll(cx, now, may_read) {
                    self.timers.moved(now);
                    self.on_router_event(event);
                    moved = true;
                }
                moved |= was_full && self.terminal.can_take();
            }
            progress |= moved;
            if !moved {
                return progress;
            }
        }
    }

    fn on_router_event(&mut self, event: RouterEvent) {
        match event {
            RouterEvent::Informational(headers) => self.manager.encode_1xx(headers),
            RouterEvent::Headers(headers, end_stream) => self.manager.encode_headers(headers, end_stream),
            RouterEvent::Data(data, end_stream) => self.manager.encode_data(data, end_stream),
            RouterEvent::Trailers(trailers) => self.manager.encode_trailers(trailers),
            RouterEvent::LocalReply(reply) => self.manager.local_reply(reply),
            RouterEvent::Reset(details) => self.manager.reset(&details),
        }
    }

    /// What the codec is to do next.
    pub(crate) fn next_event(&mut self, now: Instant) -> Option<ResponseEvent> {
        let event = self.manager.next_encode_event()?;
        self.timers.moved(now);
        Some(match event {
            EncodeEvent::Informational(_) => {
                self.hcm.count_response(100);
                ResponseEvent::Informational
            }
            EncodeEvent::Headers { end_stream } => {
                self.finish_headers();
                self.stream.info_mut().first_downstream_tx = Some(now);
                self.note_tunnel(now);
                ResponseEvent::Headers { end_stream }
            }
            EncodeEvent::Data { data, end_stream } => ResponseEvent::Data(data, end_stream),
            EncodeEvent::Trailers => ResponseEvent::Trailers,
            EncodeEvent::Reset => {
                self.hcm.stats.downstream_rq_tx_reset().inc();
                ResponseEvent::Reset
            }
        })
    }

    /// Whether a reset is the last of what waits: it does not wait for a client that reads nothing.
    pub(crate) fn ends_with_reset(&self) -> bool {
        self.manager.ends_with_reset()
    }

    /// The last changes to the response headers, and its count.
    fn finish_headers(&mut self) {
        let config = &self.hcm.config;
        let request = self.stream.headers(Direction::Request);
        let wanted = config.always_set_request_id_in_response;
        let request_id = request.as_ref().filter(|_| wanted).and_then(|headers| headers.get(b"x-request-id"));
        if let Some(mut headers) = self.stream.headers_mut(Direction::Response) {
            let upgrade = self.upgraded == Some(true) && request.as_deref().is_some_and(is_upgrade);
            let from = (&self.worker.date, SystemTime::now());
            response_headers::mutate(&mut headers, config, request_id, from, upgrade);
        }
        let info = self.stream.info();
        self.hcm.count_response(info.response_code.unwrap_or_default());
        match (info.response_code, info.response_code_details.as_deref()) {
            (Some(413), Some("request_payload_too_large")) => self.hcm.stats.downstream_rq_too_large().inc(),
            (Some(500), Some("response_payload_too_large")) => self.hcm.stats.rs_too_large().inc(),
            _ => {}
        }
    }

    /// When [`ActiveStream::on_timers`] has something to do at the latest, or [`ActiveStream::poll`] of itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.timers.deadline(), self.terminal.deadline(), self.log_at].into_iter().flatten().min()
    }

    /// Acts on timeouts that have passed.
    pub(crate) fn on_timers(&mut self, now: Instant) {
        if self.log_at.is_some_and(|at| at <= now) {
            self.log_at = self.hcm.access_logs.interval().map(|interval| now + interval);
            self.hcm.access_logs.log(&self.stream, AccessLogType::DownstreamPeriodic, now);
        }
        if let Some(timeout) = self.timers.expired(now) {
            self.time_out(timeout, now);
        }
    }

    /// The stream is over: filters log and go.
    pub(crate) fn finish(&mut self, now: Instant) {
        if self.manager.encode_complete() {
            self.stream.info_mut().last_downstream_tx = Some(now);
        }
        self.terminal.note_bytes();
        self.manager.log(now);
        self.hcm.access_logs.log(&self.stream, AccessLogType::DownstreamEnd, now);
        self.manager.destroy();
        self.terminal.abort();
        self.end_upgrade();
    }
}

fn reply(status: u32, body: &str, details: &str) -> LocalReply {
    LocalReply { status, body: body.into(), details: details.to_owned(), ..LocalReply::default() }
}
