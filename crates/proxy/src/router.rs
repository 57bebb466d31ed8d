//! The router: what stands at the end of the decoder chain and forwards to a cluster.

mod attempt;
mod charge;
mod config;
mod grpc_timeout;
mod hash_policy;
mod headers;
mod host_selection;
mod mirror;
mod outcome;
mod policy;
mod replay;
mod reset;
mod retry;
mod strict;
mod timeouts;
mod tunnel;
mod upstream_request;

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sandgate_config::model::MetadataCriteria;
use sandgate_filter::{DecodeEvent, Stream, response_flag};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};
use smallvec::SmallVec;

pub(crate) use config::RouterConfig;
pub(crate) use policy::ForwardPolicy;
pub(crate) use reset::ResetReason;
pub(crate) use retry::BackOffState;
pub(crate) use upstream_request::{Chain, UpstreamEvent, UpstreamRequest};

use crate::cluster::WorkerCluster;
use crate::route_table::{RequestScopes, RouteEntry, Target};
use crate::worker::Worker;
use hash_policy::RequestHash;
use mirror::Mirror;
use replay::Replay;
use retry::Retry;
use timeouts::Timeouts;
use tunnel::Tunnel;

/// What the router has for the filter manager.
#[derive(Debug)]
pub(crate) enum RouterEvent {
    /// A 1xx response that is passed on.
    Informational(HeaderMap),
    Headers(HeaderMap, bool),
    Data(BodyBuffer, bool),
    Trailers(HeaderMap),
    /// No upstream response: this instead.
    LocalReply(LocalReply),
    /// The response has begun and cannot end.
    Reset(String),
}

/// One stream's router.
pub(crate) struct Router {
    worker: Rc<Worker>,
    config: Rc<RouterConfig>,
    stream: Rc<Stream>,
    /// Where the request goes; chosen when its headers have come through.
    forward: Option<Forward>,
    /// In flight, the oldest first. None while a retry is waited for; more than one only while hedging.
    upstreams: SmallVec<[UpstreamRequest; 1]>,
    /// Until a response is passed on, if the request may be tried again.
    retry: Option<Box<Retry>>,
    /// The body so far, if the request may be tried again.
    replay: Option<Box<Replay>>,
    /// Somebody's guest may be waiting for us to return: no other may be entered.
    in_hostcall: bool,
    /// The filters of attempts that were given up, because the stream is over: they hear of that after the client's.
    retired: Vec<Chain>,
    /// Copies of the request that go elsewhere.
    mirrors: Vec<Mirror>,
    /// The cluster's `max_stream_duration`, as a filter has it.
    max_stream_duration: Option<Duration>,
    /// What is to be said without asking anybody.
    answer: Option<RouterEvent>,
    /// Of the route's hash policy, if the cluster's load balancing goes by it.
    hash: RequestHash,
    /// What is asked of the host's metadata, if the cluster's load balancing looks at it.
    criteria: Option<Arc<MetadataCriteria>>,
    /// When the request was complete.
    request_complete: Option<Instant>,
    timeouts: Timeouts,
    /// When the route's timeout ends.
    deadline: Option<Instant>,
    /// What the request is counted by besides the cluster.
    scopes: RequestScopes,
    /// Attempts so far.
    attempts: u32,
    /// Attempts that run into their time go on beside the next one.
    hedging: bool,
    /// A timeout is answered with 204.
    alt_response: bool,
    /// The request may become something else than HTTP.
    may_tunnel: bool,
    /// What it becomes.
    tunnel: Tunnel,
    proxy_100_continue: bool,
    suppress_envoy_headers: bool,
    /// What the gRPC response under way is worth, its trailers will say.
    grpc_pending: bool,
    /// The response is a canary's.
    canary: bool,
    /// Something was passed on, if only a 1xx.
    response_started: bool,
    /// The response's headers were.
    headers_sent: bool,
    done: bool,
}

/// A route and the cluster it leads to.
struct Forward {
    route: Rc<RouteEntry>,
    cluster: Rc<WorkerCluster>,
}

impl Router {
    pub(crate) fn new(worker: &Rc<Worker>, config: &Rc<RouterConfig>, stream: &Rc<Stream>) -> Self {
        Self {
            worker: Rc::clone(worker),
            config: Rc::clone(config),
            stream: Rc::clone(stream),
            forward: None,
            upstreams: SmallVec::new(),
            retry: None,
            replay: None,
            in_hostcall: false,
            retired: Vec::new(),
            mirrors: Vec::new(),
            max_stream_duration: None,
            answer: None,
            hash: RequestHash::default(),
            criteria: None,
            request_complete: None,
            timeouts: Timeouts::default(),
            deadline: None,
            scopes: RequestScopes::new(),
            attempts: 0,
            hedging: false,
            alt_response: false,
            may_tunnel: false,
            tunnel: Tunnel::No,
            proxy_100_continue: config.proxy_100_continue,
            suppress_envoy_headers: config.filter.suppress_envoy_headers,
            grpc_pending: false,
            canary: false,
            response_started: false,
            headers_sent: false,
            done: false,
        }
    }

    /// The request may become something else than HTTP.
    pub(crate) fn allow_upgrade(&mut self) {
        self.may_tunnel = true;
    }

    /// Begins a request of our own, whose headers are all there is of it if `end_stream`.
    pub(crate) fn begin_own(&mut self, cx: &mut Context<'_>, route: &Rc<RouteEntry>, end_stream: bool, now: Instant) {
        self.in_hostcall = true;
        self.on_decode_event(cx, DecodeEvent::Headers { end_stream }, Some(route), now);
        self.in_hostcall = false;
    }

    /// Whether it can take more of the request.
    pub(crate) fn can_take(&self) -> bool {
        self.upstreams.iter().all(UpstreamRequest::can_take) && self.mirrors.iter().all(Mirror::can_take)
    }

    /// The earliest moment at which [`Router::poll`] has something to do by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let upstreams = self.upstreams.iter().filter_map(UpstreamRequest::deadline);
        let retry = self.retry.as_ref().and_then(|retry| retry.due());
        self.deadline.into_iter().chain(retry).chain(upstreams).min()
    }

    /// Takes what the decoder filters let through.
    pub(crate) fn on_decode_event(
        &mut self,
        cx: &mut Context<'_>,
        event: DecodeEvent,
        route: Option<&Rc<RouteEntry>>,
        now: Instant,
    ) {
        if self.done {
            return;
        }
        let end = match event {
            DecodeEvent::Headers { end_stream } => {
                self.begin(cx, route, end_stream, now);
                end_stream
            }
            DecodeEvent::Data { data, end_stream } => {
                self.on_data(data, end_stream);
                end_stream
            }
            DecodeEvent::Trailers => {
                self.upstreams.iter_mut().for_each(UpstreamRequest::push_trailers);
                self.mirror_trailers();
                true
            }
        };
        if end && self.request_complete.is_none() {
            self.on_request_complete(now);
        }
    }

    fn on_request_complete(&mut self, now: Instant) {
        self.request_complete = Some(now);
        self.deadline = self.timeouts.global.map(|timeout| now + timeout);
        self.upstreams.iter_mut().for_each(|upstream| upstream.on_request_complete(now));
    }

    fn on_data(&mut self, data: BodyBuffer, end_stream: bool) {
        self.mirrors.iter().for_each(|mirror| mirror.data(&data, end_stream));
        if let Some(replay) = &mut self.replay
            && !replay.push(&data)
        {
            self.abandon_retries();
        }
        if let Some(upstream) = self.upstreams.last_mut() {
            upstream.push_data(data, end_stream);
        }
    }

    /// The next event. `may_read` is whether more of the response can be taken.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant, may_read: bool) -> Poll<RouterEvent> {
        if let Some(answer) = self.take_answer() {
            return Poll::Ready(answer);
        }
        if self.done {
            return Poll::Pending;
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Poll::Ready(self.on_timeout());
        }
        if let (Some(retry), Some(forward)) = (&mut self.retry, &self.forward)
            && let Some(for_timeout) = retry.take_due(&forward.cluster, now)
        {
            self.try_again(cx, for_timeout, now);
        }
        let mut index = 0;
        while let Some(upstream) = self.upstreams.get_mut(index) {
            let Poll::Ready(event) = upstream.poll(cx, now, may_read) else {
                index += 1;
                continue;
            };
            if let Some(event) = self.on_upstream_event(index, event, now) {
                return Poll::Ready(event);
            }
            // Whatever it was, the list may have changed.
            index = 0;
        }
        self.take_answer().map_or(Poll::Pending, Poll::Ready)
    }

    /// An answer that needs no upstream, if the request got one.
    pub(crate) fn take_answer(&mut self) -> Option<RouterEvent> {
        let answer = self.answer.take()?;
        self.finish();
        Some(answer)
    }

    /// The stream is over, or somebody else answers: what is in flight upstream is given up.
    pub(crate) fn abort(&mut self) {
        if !self.done && !self.stream.is_answered_here() {
            self.note_bytes();
            self.retired.extend(self.upstreams.drain(..).filter_map(UpstreamRequest::retire));
        }
        if !self.done {
            self.finish();
        }
        self.answer = None;
    }

    /// Tells the stream's info of bytes that no event has told of.
    pub(crate) fn note_bytes(&mut self) {
        self.upstreams.iter_mut().for_each(UpstreamRequest::note_bytes);
    }

    fn finish(&mut self) {
        self.note_bytes();
        self.done = true;
        self.deadline = None;
        (self.retry, self.replay) = (None, None);
        self.upstreams.clear();
        self.mirrors.clear();
    }

    /// The request headers have come through: chooses where they go.
    fn begin(&mut self, cx: &mut Context<'_>, route: Option<&Rc<RouteEntry>>, end_stream: bool, now: Instant) {
        self.config.stats.rq_total().inc();
        let Some(route) = route else {
            self.config.stats.no_route().inc();
            self.stream.info_mut().set_response_flag(response_flag::NO_ROUTE_FOUND);
            return self.reply(404, "", "route_not_found");
        };
        if let Some(reply) = route.direct_reply(&self.stream, !self.suppress_envoy_headers, now) {
            self.config.stats.rq_direct_response().inc();
            self.answer = Some(RouterEvent::LocalReply(LocalReply {
                status: reply.status.into(),
                body: reply.body.to_vec(),
                headers: reply.headers,
                details: "direct_response".to_owned(),
                ..LocalReply::default()
            }));
            return;
        }
        match &route.target {
            Target::DirectResponse(_) | Target::Redirect(_) | Target::TlsRedirect => {}
            Target::Cluster { name, not_found, policy, .. } => {
                let Some(cluster) = self.worker.clusters.get(name) else {
                    self.config.stats.no_cluster().inc();
                    self.stream.info_mut().set_response_flag(response_flag::NO_CLUSTER_FOUND);
                    return self.reply(not_found.status().into(), "", "cluster_not_found");
                };
                if self.refuses_headers() {
                    return;
                }
                self.enter_scopes(route);
                if cluster.is_in_maintenance() {
                    return self.refuse_for_maintenance(&cluster);
                }
                self.forward = Some(Forward { route: Rc::clone(route), cluster: Rc::clone(&cluster) });
                self.first_attempt(cx, route, &cluster, policy, end_stream, now);
            }
        }
    }

    /// Answers requests whose headers the configuration finds invalid.
    fn refuses_headers(&mut self) -> bool {
        let config = &self.config.filter;
        if config.strict_check_headers.is_empty() {
            return false;
        }
        let refusal = self.stream.headers(Direction::Request).and_then(|headers| {
            let (name, value) = strict::invalid_header(&config.strict_check_headers, &headers)?;
            let body = format!("invalid header '{name}' with value '{}'", String::from_utf8_lossy(value));
            Some((body, format!("request_headers_failed_strict_check{{{name}}}")))
        });
        let Some((body, details)) = refusal else { return false };
        self.stream.info_mut().set_response_flag(response_flag::INVALID_ENVOY_REQUEST_HEADERS);
        self.reply(400, &body, &details);
        true
    }

    /// The cluster takes nothing now.
    fn refuse_for_maintenance(&mut self, cluster: &WorkerCluster) {
        cluster.stats.upstream_rq_maintenance_mode().inc();
        self.charge_cluster(cluster, 503, false);
        self.stream.info_mut().set_response_flag(response_flag::UPSTREAM_OVERFLOW);
        let overloaded = (b"x-envoy-overloaded".to_vec(), b"true".to_vec());
        self.answer = Some(RouterEvent::LocalReply(LocalReply {
            status: 503,
            body: b"maintenance mode".to_vec(),
            headers: if self.suppress_envoy_headers { Vec::new() } else { vec![overloaded] },
            details: "maintenance_mode".to_owned(),
            ..LocalReply::default()
        }));
    }

    /// Finds out what the request is counted by.
    fn enter_scopes(&mut self, route: &RouteEntry) {
        let headers = self.stream.headers(Direction::Request);
        if let Some(cluster) = headers.as_deref().and_then(|headers| route.virtual_cluster(headers)) {
            self.stream.info_mut().virtual_cluster_name = Some(Arc::clone(&cluster.name));
            self.scopes.push(Rc::clone(&cluster.scope));
        }
        self.scopes.extend(route.scope().cloned());
    }

    fn reply(&mut self, status: u32, body: &str, details: &str) {
        let reply = LocalReply { status, body: body.into(), details: details.to_owned(), ..LocalReply::default() };
        self.answer = Some(self.local_reply(reply));
    }

    /// A reply of the router's own, which says how many attempts there were if the route wants that.
    fn local_reply(&self, mut reply: LocalReply) -> RouterEvent {
        if self.tells_attempts() {
            // Also where there was no host for the first one.
            let attempts = self.attempts.max(1).to_string();
            reply.headers.push((b"x-envoy-attempt-count".to_vec(), attempts.into_bytes()));
        }
        RouterEvent::LocalReply(reply)
    }

    fn tells_attempts(&self) -> bool {
        let Some(Forward { route, .. }) = &self.forward else { return false };
        matches!(&route.target, Target::Cluster { policy, .. } if policy.include_attempt_count_in_response)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.abort();
    }
}
