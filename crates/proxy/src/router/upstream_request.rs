//! One request to one upstream host.

mod chain;
mod exchange;
mod http1;
mod http2;
mod opening;
mod outgoing;
mod progress;
mod response;
mod tcp;

use std::cell::Ref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandgate_filter::{ByteMeter, HttpFilter, Stream, UpstreamInfo};
use sandgate_http::{BodyBuffer, HeaderMap, LocalReply};

use super::ResetReason;
use super::tunnel::Tunnel;
use crate::cluster::{Host, WorkerCluster};
use crate::pool::{Acquired, HostPool, PendingConnection};
use crate::route_table::RequestScopes;
pub(crate) use chain::Chain;
use exchange::Exchange;
use outgoing::{Outgoing, RequestEnd};

/// What an upstream request has for the router.
#[derive(Debug)]
pub(crate) enum UpstreamEvent {
    /// A 1xx response.
    Informational {
        status: u16,
        headers: HeaderMap,
    },
    Headers {
        status: u16,
        headers: HeaderMap,
        end_stream: bool,
    },
    Data(BodyBuffer, bool),
    Trailers(HeaderMap),
    /// The request cannot be written, for this reason.
    Invalid(String),
    /// A filter in front of the host answers instead of it.
    LocalReply(LocalReply),
    /// A filter in front of the host ends the stream.
    ResetByFilter,
    /// `per_try_timeout` has passed.
    PerTryTimeout,
    /// `per_try_idle_timeout` has passed.
    PerTryIdleTimeout,
    Reset(ResetReason),
}

/// Times that one attempt may take; the first two from when both the request is complete and the connection is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerTry {
    pub(crate) timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    /// From when the connection is there: the cluster's `max_stream_duration`, or what a filter says instead.
    pub(crate) max_duration: Option<Duration>,
}

/// A request on its way to a host, and the response on its way back. Headers and trailers are read from the stream when
/// there is a connection to write them to.
pub(crate) struct UpstreamRequest {
    cluster: Rc<WorkerCluster>,
    /// What it is counted by besides the cluster.
    scopes: RequestScopes,
    /// Of the host it goes to.
    pool: Rc<HostPool>,
    stream: Rc<Stream>,
    state: State,
    /// The filters in front of the host, if there are any.
    chain: Option<Box<Chain>>,
    outgoing: Outgoing,
    /// Nothing above so many waiting bytes; 0 is no limit.
    buffer_limit: usize,
    /// The cluster's `max_stream_duration`, once there is a connection.
    deadline: Option<Instant>,
    /// There was no room for the request: the circuit breaker is open.
    overflow: bool,
    /// Something of the request was handed to a connection.
    begun: bool,
    /// No response headers yet.
    awaiting_headers: bool,
    /// It has been tried again elsewhere and goes on beside that.
    retried: bool,
    /// The host's monitor was told of a timeout.
    timeout_told: bool,
    /// The client's request is complete.
    request_complete: bool,
    per_try: PerTry,
    per_try_deadline: Option<Instant>,
    per_try_idle_deadline: Option<Instant>,
    began: Instant,
    /// Bytes of the attempts before this one.
    bytes_before: ByteMeter,
    /// What is known of this attempt while the stream's info tells of a later one.
    aside: Option<Box<UpstreamInfo>>,
}

enum State {
    Pending(PendingConnection),
    Open(Exchange),
    Done,
}

impl UpstreamRequest {
    fn new(
        cluster: &Rc<WorkerCluster>,
        pool: &Rc<HostPool>,
        stream: &Rc<Stream>,
        per_try: PerTry,
        now: Instant,
    ) -> Self {
        Self {
            scopes: RequestScopes::new(),
            cluster: Rc::clone(cluster),
            pool: Rc::clone(pool),
            stream: Rc::clone(stream),
            state: State::Done,
            chain: None,
            outgoing: Outgoing::new(),
            buffer_limit: cluster.config.per_connection_buffer_limit_bytes as usize,
            deadline: None,
            overflow: false,
            begun: false,
            awaiting_headers: true,
            retried: false,
            timeout_told: false,
            request_complete: false,
            per_try,
            per_try_deadline: None,
            per_try_idle_deadline: None,
            began: now,
            bytes_before: stream.info().upstream.bytes,
            aside: None,
        }
    }

    /// A request with what the pool has for it.
    pub(crate) fn start(
        cluster: &Rc<WorkerCluster>,
        pool: &Rc<HostPool>,
        stream: &Rc<Stream>,
        per_try: PerTry,
        scopes: &RequestScopes,
        acquired: Acquired,
        now: Instant,
    ) -> Self {
        let mut request = Self::new(cluster, pool, stream, per_try, now);
        request.scopes.clone_from(scopes);
        match acquired {
            Acquired::Overflow => request.overflow = true,
            Acquired::Pending(pending) => request.state = State::Pending(pending),
            Acquired::Ready(lease) => request.open(lease, now),
        }
        request
    }

    /// Puts filters in front of the host; before anything of the request is sent.
    pub(crate) fn add_filters(&mut self, filters: impl Iterator<Item = Box<dyn HttpFilter>>) {
        self.chain = Chain::new(&self.stream, filters);
        self.outgoing.ready = self.chain.is_none();
    }

    /// Gives up what goes on with the host. The filters in front of it are to hear of that later.
    pub(crate) fn retire(mut self) -> Option<Chain> {
        self.chain.take().map(|chain| *chain)
    }

    /// Says what the request becomes.
    pub(crate) fn set_tunnel(&mut self, tunnel: Tunnel, now: Instant) {
        self.outgoing.tunnel = tunnel;
        self.outgoing.paused = tunnel != Tunnel::No;
        if tunnel == Tunnel::WebSocket {
            self.arm_per_try(now);
        }
    }

    /// Tells the stream's info what went over the wire so far.
    pub(crate) fn note_bytes(&mut self) {
        if let State::Open(exchange) = &self.state {
            let bytes = self.bytes_before + exchange.bytes();
            self.with_info(|info| info.bytes = bytes);
        }
    }

    /// Whether the host has yet to agree to what the request becomes.
    pub(crate) fn awaits_agreement(&self) -> bool {
        self.outgoing.paused
    }

    /// Whether it has failed before it began.
    pub(crate) fn has_failed(&self) -> bool {
        self.overflow
    }

    /// Whether no response headers have come yet.
    pub(crate) fn awaits_headers(&self) -> bool {
        self.awaiting_headers
    }

    /// Whether it has been tried again elsewhere.
    pub(crate) fn is_retried(&self) -> bool {
        self.retried
    }

    /// It has been tried again elsewhere.
    pub(crate) fn set_retried(&mut self) {
        self.retried = true;
    }

    /// Whether something of the request was handed to a connection.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn cluster(&self) -> &Rc<WorkerCluster> {
        &self.cluster
    }

    /// The host it goes to.
    pub(crate) fn host(&self) -> Ref<'_, Arc<Host>> {
        self.pool.host()
    }

    /// The host's monitor knows of a timeout already.
    pub(crate) fn set_timeout_told(&mut self) {
        self.timeout_told = true;
    }

    pub(crate) fn timeout_is_told(&self) -> bool {
        self.timeout_told
    }

    /// From now on the stream's info tells of another attempt.
    pub(crate) fn put_aside(&mut self) {
        if self.aside.is_none() {
            self.aside = Some(Box::new(std::mem::take(&mut self.stream.info_mut().upstream)));
        }
    }

    /// The stream's info is to tell of this attempt, and of how many there were.
    pub(crate) fn put_back(&mut self) {
        if let Some(aside) = self.aside.take() {
            let mut info = self.stream.info_mut();
            let attempt_count = info.upstream.attempt_count;
            info.upstream = UpstreamInfo { attempt_count, ..*aside };
        }
    }

    fn with_info(&mut self, note: impl FnOnce(&mut UpstreamInfo)) {
        match &mut self.aside {
            Some(aside) => note(aside),
            None => note(&mut self.stream.info_mut().upstream),
        }
    }

    /// The client's request has come whole.
    pub(crate) fn on_request_complete(&mut self, now: Instant) {
        self.request_complete = true;
        if matches!(self.state, State::Open(_)) {
            self.arm_per_try(now);
        }
    }

    fn arm_per_try(&mut self, now: Instant) {
        self.per_try_deadline = self.per_try.timeout.map(|timeout| now + timeout);
        self.per_try_idle_deadline = self.per_try.idle_timeout.map(|timeout| now + timeout);
    }

    /// When to poll at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.deadline, self.per_try_deadline, self.per_try_idle_deadline].into_iter().flatten().min()
    }

    /// Whether the request may go on: not too much waits to be written.
    pub(crate) fn can_take(&self) -> bool {
        let unwritten = if let State::Open(exchange) = &self.state { exchange.unwritten() } else { 0 };
        (self.buffer_limit == 0 || self.outgoing.body.len() + unwritten < self.buffer_limit)
            && self.chain.as_ref().is_none_or(|chain| chain.wants_request())
    }

    /// Shows the headers to the filters in front of the host; else the next poll does.
    pub(crate) fn show_headers(&mut self) {
        if let Some(chain) = &mut self.chain {
            chain.advance(&mut self.outgoing);
        }
    }

    /// The headers, which are in the stream. `end_stream`: they are all there is.
    pub(crate) fn push_headers(&mut self, end_stream: bool) {
        if let Some(chain) = &mut self.chain {
            // Without room for it the request goes nowhere: its filters do not hear of it, as in Envoy.
            if self.overflow {
                return;
            }
            chain.push_headers(end_stream);
        } else if end_stream {
            self.outgoing.headers_only = true;
            self.outgoing.end = RequestEnd::Body;
        }
    }

    pub(crate) fn push_data(&mut self, mut data: BodyBuffer, end_stream: bool) {
        if let Some(chain) = &mut self.chain {
            chain.push_data(data, end_stream);
            return chain.advance(&mut self.outgoing);
        }
        self.outgoing.body.append(&mut data);
        if end_stream {
            self.outgoing.end = RequestEnd::Body;
        }
    }

    /// The trailers are in the stream.
    pub(crate) fn push_trailers(&mut self) {
        if let Some(chain) = &mut self.chain {
            chain.push_trailers();
            return chain.advance(&mut self.outgoing);
        }
        self.outgoing.end = RequestEnd::Trailers;
    }
}

impl Drop for UpstreamRequest {
    fn drop(&mut self) {
        // Waiting for a connection and given up.
        if matches!(self.state, State::Pending(_)) {
            self.cluster.stats.upstream_rq_cancelled().inc();
        }
    }
}
