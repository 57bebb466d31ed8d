//! The router: what stands at the end of the decoder chain and forwards to a cluster.

mod headers;
mod reset;
mod upstream_request;

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sandgate_filter::{DecodeEvent, Stream, response_flag};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

pub(crate) use reset::ResetReason;
pub(crate) use upstream_request::{UpstreamEvent, UpstreamRequest};

use crate::cluster::WorkerCluster;
use crate::hcm::{Hcm, TerminalFactory};
use crate::pool::Acquired;
use crate::route_table::{RouteEntry, Target};
use crate::stats::milliseconds;
use crate::worker::Worker;

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
///
/// It owns at most one [`UpstreamRequest`] now; retries, hedges and mirrors are more of them.
pub(crate) struct Router {
    worker: Rc<Worker>,
    hcm: Rc<Hcm>,
    stream: Rc<Stream>,
    upstream: Option<UpstreamRequest>,
    /// What is to be said without asking anybody.
    answer: Option<RouterEvent>,
    /// When the request was complete.
    request_complete: Option<Instant>,
    timeout: Option<Duration>,
    /// When the route's timeout ends.
    deadline: Option<Instant>,
    proxy_100_continue: bool,
    suppress_envoy_headers: bool,
    response_started: bool,
    done: bool,
}

impl Router {
    pub(crate) fn new(worker: &Rc<Worker>, hcm: &Rc<Hcm>, stream: &Rc<Stream>) -> Self {
        let suppress = matches!(&hcm.terminal, TerminalFactory::Router(router) if router.suppress_envoy_headers);
        Self {
            worker: Rc::clone(worker),
            hcm: Rc::clone(hcm),
            stream: Rc::clone(stream),
            upstream: None,
            answer: None,
            request_complete: None,
            timeout: None,
            deadline: None,
            proxy_100_continue: hcm.config.proxy_100_continue,
            suppress_envoy_headers: suppress,
            response_started: false,
            done: false,
        }
    }

    /// Whether it can take more of the request.
    pub(crate) fn can_take(&self) -> bool {
        self.upstream.as_ref().is_none_or(UpstreamRequest::can_take)
    }

    /// The earliest moment at which [`Router::poll`] has something to do by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let upstream = self.upstream.as_ref().and_then(UpstreamRequest::deadline);
        self.deadline.into_iter().chain(upstream).min()
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
                self.begin(cx, route, now);
                if end_stream && let Some(upstream) = &mut self.upstream {
                    upstream.end_request();
                }
                end_stream
            }
            DecodeEvent::Data { data, end_stream } => {
                if let Some(upstream) = &mut self.upstream {
                    upstream.push_data(data, end_stream);
                }
                end_stream
            }
            DecodeEvent::Trailers => {
                if let Some(upstream) = &mut self.upstream {
                    upstream.push_trailers();
                }
                true
            }
        };
        if end && self.request_complete.is_none() {
            self.request_complete = Some(now);
            self.deadline = self.timeout.map(|timeout| now + timeout);
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
        loop {
            let Some(upstream) = &mut self.upstream else { return Poll::Pending };
            let event = match upstream.poll(cx, now, may_read) {
                Poll::Ready(event) => event,
                Poll::Pending => return Poll::Pending,
            };
            if let Some(event) = self.on_upstream_event(event, now) {
                return Poll::Ready(event);
            }
        }
    }

    /// An answer that needs no upstream, if the request got one.
    pub(crate) fn take_answer(&mut self) -> Option<RouterEvent> {
        let answer = self.answer.take()?;
        self.finish();
        Some(answer)
    }

    /// The stream is over, or somebody else answers: what is in flight upstream is given up.
    pub(crate) fn abort(&mut self) {
        if !self.done {
            self.finish();
        }
        self.answer = None;
    }

    fn finish(&mut self) {
        self.done = true;
        self.deadline = None;
        self.upstream = None;
    }

    /// The request headers have come through: chooses where they go.
    fn begin(&mut self, cx: &mut Context<'_>, route: Option<&Rc<RouteEntry>>, now: Instant) {
        self.hcm.router_stats.rq_total().inc();
        let Some(route) = route else {
            self.hcm.router_stats.no_route().inc();
            self.stream.info_mut().set_response_flag(response_flag::NO_ROUTE_FOUND);
            return self.reply(404, "", "route_not_found");
        };
        match &route.target {
            Target::DirectResponse(response) => {
                self.hcm.router_stats.rq_direct_response().inc();
                let reply = LocalReply {
                    status: response.status.into(),
                    body: response.body.to_vec(),
                    headers: self.location(response.status).into_iter().collect(),
                    details: "direct_response".to_owned(),
                    ..LocalReply::default()
                };
                self.answer = Some(RouterEvent::LocalReply(reply));
            }
            Target::Cluster { name, not_found, timeout, .. } => {
                let Some(cluster) = self.worker.clusters.get(name).cloned() else {
                    self.hcm.router_stats.no_cluster().inc();
                    self.stream.info_mut().set_response_flag(response_flag::NO_CLUSTER_FOUND);
                    return self.reply(not_found.status().into(), "", "cluster_not_found");
                };
                self.forward(cx, &cluster, *timeout, now);
            }
        }
    }

    fn forward(&mut self, cx: &mut Context<'_>, cluster: &Rc<WorkerCluster>, timeout: Option<Duration>, now: Instant) {
        {
            let mut info = self.stream.info_mut();
            info.cluster_name = Some(std::sync::Arc::clone(&cluster.name));
            info.upstream.cluster_metadata = cluster.metadata.clone();
            info.upstream.cluster_endpoints = Some(cluster.host_count() as u64);
        }
        let Some(pool) = cluster.choose() else {
            cluster.stats.upstream_cx_none_healthy().inc();
            self.count(cluster, 503);
            self.stream.info_mut().set_response_flag(response_flag::NO_HEALTHY_UPSTREAM);
            return self.reply(503, "no healthy upstream", "no_healthy_upstream");
        };
        self.timeout = match self.stream.headers_mut(Direction::Request) {
            Some(mut headers) => headers::finish(&mut headers, timeout, self.suppress_envoy_headers),
            None => timeout,
        };
        {
            let host = pool.host();
            let mut info = self.stream.info_mut();
            info.upstream.attempt_count += 1;
            info.upstream.address = Some(host.address());
            info.upstream.host_metadata = host.metadata.clone();
        }
        match pool.acquire(cx, now) {
            Acquired::Overflow => {
                let event = self.failed(cluster, &ResetReason::Overflow);
                self.answer = Some(event);
            }
            Acquired::Ready(connection) => {
                self.upstream = Some(UpstreamRequest::ready(cluster, &self.stream, connection, now));
            }
            Acquired::Pending(pending) => {
                self.upstream = Some(UpstreamRequest::pending(cluster, &self.stream, pending));
            }
        }
    }

    fn on_upstream_event(&mut self, event: UpstreamEvent, now: Instant) -> Option<RouterEvent> {
        let cluster = Rc::clone(self.upstream.as_ref()?.cluster());
        match event {
            UpstreamEvent::Informational { status, headers } => {
                self.count(&cluster, status.into());
                (status == 100 && self.proxy_100_continue).then_some(RouterEvent::Informational(headers))
            }
            UpstreamEvent::Headers { status, mut headers, end_stream } => {
                self.count(&cluster, status.into());
                // The only header of the connection that filters do not see (observed in Envoy 1.40).
                headers.remove(b"keep-alive");
                if let Some(complete) = self.request_complete
                    && !self.suppress_envoy_headers
                {
                    headers::set_service_time(&mut headers, now.saturating_duration_since(complete));
                }
                self.response_started = true;
                self.stream.info_mut().response_code_details.get_or_insert_with(|| "via_upstream".to_owned());
                self.end_if(end_stream, &cluster, now);
                Some(RouterEvent::Headers(headers, end_stream))
            }
            UpstreamEvent::Data(data, end_stream) => {
                self.end_if(end_stream, &cluster, now);
                Some(RouterEvent::Data(data, end_stream))
            }
            UpstreamEvent::Trailers(trailers) => {
                self.end_if(true, &cluster, now);
                Some(RouterEvent::Trailers(trailers))
            }
            UpstreamEvent::Invalid(message) => {
                self.stream.info_mut().set_response_flag(response_flag::DOWNSTREAM_PROTOCOL_ERROR);
                self.finish();
                Some(RouterEvent::LocalReply(LocalReply {
                    status: 503,
                    details: format!("filter_removed_required_request_headers{{{message}}}").replace(' ', "_"),
                    body: message.into_bytes(),
                    ..LocalReply::default()
                }))
            }
            UpstreamEvent::Reset(reason) => {
                let event = self.failed(&cluster, &reason);
                self.finish();
                Some(event)
            }
        }
    }

    /// At the end of the host's response: records how long it took since the request was complete.
    fn end_if(&mut self, end_stream: bool, cluster: &WorkerCluster, now: Instant) {
        if end_stream {
            if let Some(complete) = self.request_complete {
                let took = milliseconds(now.saturating_duration_since(complete));
                cluster.codes.time(took, self.is_internal(), false);
            }
            self.finish();
        }
    }

    /// The upstream side failed: a reply, or a reset if the response had begun.
    fn failed(&mut self, cluster: &WorkerCluster, reason: &ResetReason) -> RouterEvent {
        let mut info = self.stream.info_mut();
        info.set_response_flag(reason.flag());
        if let ResetReason::ConnectionFailure(why) = reason {
            why.clone_into(&mut info.upstream.transport_failure_reason);
        }
        if self.response_started {
            let details = format!("upstream_reset_after_response_started{{{}}}", reason.details());
            info.response_code_details = Some(details.clone());
            return RouterEvent::Reset(details);
        }
        drop(info);
        let status = reason.status();
        self.count(cluster, status);
        log::debug!(target: "router", "upstream reset: {}", reason.text());
        RouterEvent::LocalReply(LocalReply {
            status,
            body: format!("upstream connect error or disconnect/reset before headers. reset reason: {}", reason.text())
                .into_bytes(),
            headers: reason.headers(),
            details: format!("upstream_reset_before_response_started{{{}}}", reason.details()),
            ..LocalReply::default()
        })
    }

    /// The route's timeout has passed.
    fn on_timeout(&mut self) -> RouterEvent {
        self.stream.info_mut().set_response_flag(response_flag::UPSTREAM_REQUEST_TIMEOUT);
        let cluster = self.upstream.as_ref().map(|upstream| Rc::clone(upstream.cluster()));
        if let Some(cluster) = &cluster {
            cluster.stats.upstream_rq_timeout().inc();
        }
        self.finish();
        if self.response_started {
            self.stream.info_mut().response_code_details = Some("response_timeout".to_owned());
            return RouterEvent::Reset("response_timeout".to_owned());
        }
        if let Some(cluster) = &cluster {
            self.count(cluster, 504);
        }
        RouterEvent::LocalReply(LocalReply {
            status: 504,
            body: b"upstream request timeout".to_vec(),
            details: "response_timeout".to_owned(),
            ..LocalReply::default()
        })
    }

    /// Counts a response of the cluster. Requests are internal if a filter says so: from clients the header is removed.
    fn count(&self, cluster: &WorkerCluster, code: u32) {
        cluster.count_response(code, self.is_internal());
    }

    fn is_internal(&self) -> bool {
        let headers = self.stream.headers(Direction::Request);
        headers.is_some_and(|headers| headers.get(b"x-envoy-internal") == Some(b"true"))
    }

    /// `location` of a direct response: where the status speaks of one, Envoy names the request's own address.
    fn location(&self, status: u16) -> Option<(Vec<u8>, Vec<u8>)> {
        if status != 201 && !(300..400).contains(&status) {
            return None;
        }
        let headers = self.stream.headers(Direction::Request)?;
        headers::own_url(&headers).map(|url| (b"location".to_vec(), url))
    }

    fn reply(&mut self, status: u32, body: &str, details: &str) {
        self.answer = Some(RouterEvent::LocalReply(LocalReply {
            status,
            body: body.into(),
            details: details.to_owned(),
            ..LocalReply::default()
        }));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.abort();
    }
}
