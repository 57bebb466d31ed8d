//! What comes of attempts: a response, or a reply for want of one.

use std::rc::Rc;
use std::time::Instant;

use sandgate_filter::response_flag;
use sandgate_http::{HeaderMap, LocalReply};
use sandgate_load_balancing::OutlierResult;

use super::charge::ResponseNotes;
use super::retry::RetryStatus;
use super::tunnel::Tunnel;
use super::{ResetReason, Router, RouterEvent, UpstreamEvent, UpstreamRequest, headers};
use crate::cluster::{HostStats, WorkerCluster};
use crate::stats::milliseconds;

impl Router {
    /// Takes an event of the attempt at `index`; nothing comes of one that is tried again, or beside which others go on.
    pub(super) fn on_upstream_event(
        &mut self,
        index: usize,
        event: UpstreamEvent,
        now: Instant,
    ) -> Option<RouterEvent> {
        match event {
            UpstreamEvent::Informational { status, headers } => self.on_informational(index, status, headers),
            UpstreamEvent::Headers { status, headers, end_stream } => {
                self.on_headers(index, status, headers, end_stream, now)
            }
            UpstreamEvent::Data(data, end_stream) => {
                self.end_if(end_stream, index, now);
                Some(RouterEvent::Data(data, end_stream))
            }
            UpstreamEvent::Trailers(trailers) => {
                if self.grpc_pending {
                    self.charge_grpc(index, trailers.get(b"grpc-status").and_then(headers::parse_number));
                }
                self.end_if(true, index, now);
                Some(RouterEvent::Trailers(trailers))
            }
            UpstreamEvent::Invalid(message) => {
                self.stream.info_mut().set_response_flag(response_flag::DOWNSTREAM_PROTOCOL_ERROR);
                self.finish();
                Some(self.local_reply(LocalReply {
                    status: 503,
                    details: format!("filter_removed_required_request_headers{{{message}}}").replace(' ', "_"),
                    body: message.into_bytes(),
                    ..LocalReply::default()
                }))
            }
            UpstreamEvent::LocalReply(reply) => {
                self.finish();
                Some(RouterEvent::LocalReply(reply))
            }
            UpstreamEvent::ResetByFilter => {
                self.abort();
                let details = self.stream.info().response_code_details.clone();
                Some(RouterEvent::Reset(details.unwrap_or_default()))
            }
            UpstreamEvent::PerTryTimeout => self.on_per_try_timeout(index, false, now),
            UpstreamEvent::PerTryIdleTimeout => self.on_per_try_timeout(index, true, now),
            UpstreamEvent::Reset(reason) => self.on_reset(index, &reason, now),
        }
    }

    fn on_informational(&mut self, index: usize, status: u16, headers: HeaderMap) -> Option<RouterEvent> {
        let upstream = self.upstreams.get(index)?;
        self.charge(upstream, status.into(), ResponseNotes::of(&headers).canary);
        // Its answer has begun: no other attempt can take its place.
        self.response_started = true;
        self.keep_only(index);
        (status == 100 && self.proxy_100_continue).then_some(RouterEvent::Informational(headers))
    }

    fn on_headers(
        &mut self,
        index: usize,
        status: u16,
        mut headers: HeaderMap,
        end_stream: bool,
        now: Instant,
    ) -> Option<RouterEvent> {
        let cluster = self.cluster(index)?;
        let refused = self.tunnel == Tunnel::WebSocket && self.answers_handshake(index, status, &mut headers);
        let end_stream = end_stream || refused;
        let notes = ResponseNotes::of(&headers);
        self.tell_host(index, status, notes);
        if self.retry.is_some() && self.retries_response(index, &cluster, status, &headers, now) {
            return None;
        }
        let upstream = self.upstreams.get(index)?;
        self.canary = notes.canary || upstream.host().canary;
        self.charge(upstream, status.into(), self.canary);
        if status < 500 {
            self.charge_success(index, notes, end_stream);
        }
        // The only header of the connection that filters do not see (observed in Envoy 1.40).
        headers.remove(b"keep-alive");
        if let Some(complete) = self.request_complete
            && !self.suppress_envoy_headers
        {
            headers::set_service_time(&mut headers, now.saturating_duration_since(complete));
        }
        {
            let mut info = self.stream.info_mut();
            let details = if refused { "websocket_handshake_unsuccessful" } else { "via_upstream" };
            info.response_code_details.get_or_insert_with(|| details.to_owned());
            info.response_code = Some(status.into());
        }
        self.hash.cookies.iter().for_each(|cookie| headers.append(b"set-cookie", cookie));
        if let Some(forward) = &self.forward {
            forward.route.finalize_response_headers(&mut headers, &self.stream, now);
        }
        if self.tells_attempts() {
            headers.set(b"x-envoy-attempt-count", self.attempts.to_string().as_bytes());
        }
        (self.response_started, self.headers_sent) = (true, true);
        self.keep_only(index);
        self.end_if(end_stream, 0, now);
        Some(RouterEvent::Headers(headers, end_stream))
    }

    /// Takes the answer to a WebSocket's handshake; whether it is neither a yes nor an error, so that its headers are all that is
    /// passed on.
    fn answers_handshake(&mut self, index: usize, status: u16, headers: &mut HeaderMap) -> bool {
        if self.upstreams.get(index).is_some_and(|upstream| !upstream.awaits_agreement()) {
            self.deadline = None;
            return false;
        }
        if status >= 400 {
            return false;
        }
        headers.remove(b"content-length");
        headers.remove(b"content-type");
        true
    }

    /// Whether a response is not passed on, because the request is tried again or because another attempt may do better.
    fn retries_response(
        &mut self,
        index: usize,
        cluster: &WorkerCluster,
        status: u16,
        headers: &HeaderMap,
        now: Instant,
    ) -> bool {
        let (Some(retry), Some(upstream)) = (&mut self.retry, self.upstreams.get(index)) else { return false };
        let failed = if upstream.is_retried() {
            retry.wants_headers(status, headers)
        } else {
            let status_of_retry = retry.on_headers(cluster, status, headers, now);
            if self.will_retry(status_of_retry) {
                cluster.count_retried(status.into());
                self.inc_host(index, |stats| &stats.rq_error);
                self.upstreams.remove(index);
                return true;
            }
            status_of_retry != RetryStatus::No
        };
        let waits = failed && self.waits_for_others();
        if waits {
            self.inc_host(index, |stats| &stats.rq_error);
            self.upstreams.remove(index);
        }
        waits
    }

    /// Whether a response may still come of another attempt.
    fn waits_for_others(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.due().is_some())
            || self.upstreams.iter().any(UpstreamRequest::awaits_headers)
    }

    /// This is the attempt whose response is passed on: the others end, and there will be no more.
    fn keep_only(&mut self, index: usize) {
        (self.retry, self.replay) = (None, None);
        if self.upstreams.len() > 1 {
            self.upstreams.truncate(index + 1);
            self.upstreams.drain(..index);
        }
        self.upstreams.iter_mut().for_each(UpstreamRequest::put_back);
    }

    /// An attempt ended without a response.
    fn on_reset(&mut self, index: usize, reason: &ResetReason, now: Instant) -> Option<RouterEvent> {
        if let ResetReason::ConnectionFailure(why) = reason {
            self.stream.info_mut().upstream.transport_failure_reason.clone_from(why);
        }
        if *reason == ResetReason::MaxStreamDuration {
            return self.on_max_stream_duration(index, now);
        }
        // An open circuit breaker is not the host's fault.
        if *reason != ResetReason::Overflow
            && let Some(upstream) = self.upstreams.get(index)
        {
            upstream.host().outlier().put_result(OutlierResult::LocalOriginConnectFailed, None);
        }
        if self.retry_reset(index, reason, false, now) {
            return None;
        }
        self.charge_abort(index, reason.status());
        self.upstreams.remove(index);
        if self.waits_for_others() {
            return None;
        }
        let event = self.failed(reason);
        self.finish();
        Some(event)
    }

    /// The cluster's `max_stream_duration` has passed.
    fn on_max_stream_duration(&mut self, index: usize, now: Instant) -> Option<RouterEvent> {
        let cluster = self.cluster(index)?;
        cluster.stats.upstream_rq_max_duration_reached().inc();
        if self.retry_reset(index, &ResetReason::LocalReset, false, now) {
            return None;
        }
        self.stream.info_mut().set_response_flag(response_flag::UPSTREAM_MAX_STREAM_DURATION_REACHED);
        // A request of our own is never complete in this sense (observed in Envoy 1.40).
        let status = if self.stream.info().last_downstream_rx.is_some() { 504 } else { 408 };
        self.finish();
        if self.headers_sent {
            return Some(self.reset("upstream_max_stream_duration_reached".to_owned()));
        }
        Some(self.local_reply(LocalReply {
            status,
            body: b"upstream max stream duration reached".to_vec(),
            details: "upstream_max_stream_duration_reached".to_owned(),
            ..LocalReply::default()
        }))
    }

    /// No attempt has a response: a reply, or a reset if the response had begun.
    fn failed(&mut self, reason: &ResetReason) -> RouterEvent {
        self.stream.info_mut().set_response_flag(reason.flag());
        let when = if self.response_started { "after" } else { "before" };
        let details = format!("upstream_reset_{when}_response_started{{{}}}", reason.details());
        if self.headers_sent {
            return self.reset(details);
        }
        let retried = if self.attempts > 1 { "retried and the latest " } else { "" };
        let text = reason.text();
        log::debug!(target: "router", "upstream reset: {text}");
        self.local_reply(LocalReply {
            status: reason.status(),
            body: format!("upstream connect error or disconnect/reset before headers. {retried}reset reason: {text}")
                .into_bytes(),
            headers: if self.suppress_envoy_headers { Vec::new() } else { reason.headers() },
            details,
            ..LocalReply::default()
        })
    }

    /// An attempt has run into one of its times.
    fn on_per_try_timeout(&mut self, index: usize, idle: bool, now: Instant) -> Option<RouterEvent> {
        // Once the response is under way, only the pauses in it count.
        if self.response_started && !idle {
            return None;
        }
        let cluster = self.cluster(index)?;
        if self.hedging {
            self.hedge(index, now);
            return None;
        }
        let (counter, details) = if idle {
            (cluster.stats.upstream_rq_per_try_idle_timeout(), "upstream_per_try_idle_timeout")
        } else {
            (cluster.stats.upstream_rq_per_try_timeout(), "upstream_per_try_timeout")
        };
        counter.inc();
        self.inc_host(index, |stats| &stats.rq_timeout);
        if let Some(upstream) = self.upstreams.get(index) {
            self.tell_timeout(upstream);
        }
        if self.retry_reset(index, &ResetReason::LocalReset, true, now) {
            return None;
        }
        self.charge_abort(index, self.timeout_status());
        self.stream.info_mut().set_response_flag(response_flag::UPSTREAM_REQUEST_TIMEOUT);
        self.finish();
        Some(self.timed_out(details))
    }

    /// The route's timeout has passed.
    pub(super) fn on_timeout(&mut self) -> RouterEvent {
        self.scopes.iter().for_each(|scope| scope.stats.upstream_rq_timeout().inc());
        for (index, upstream) in self.upstreams.iter().enumerate() {
            upstream.cluster().stats.upstream_rq_timeout().inc();
            HostStats::inc(&upstream.host().stats.rq_timeout);
            if upstream.awaits_headers() {
                if !upstream.timeout_is_told() {
                    self.tell_timeout(upstream);
                }
                self.charge_abort(index, self.timeout_status());
            }
        }
        self.stream.info_mut().set_response_flag(response_flag::UPSTREAM_REQUEST_TIMEOUT);
        self.finish();
        self.timed_out("response_timeout")
    }

    pub(super) fn timeout_status(&self) -> u32 {
        if self.alt_response { 204 } else { 504 }
    }

    fn timed_out(&self, details: &str) -> RouterEvent {
        if self.headers_sent {
            return self.reset(details.to_owned());
        }
        self.local_reply(LocalReply {
            status: self.timeout_status(),
            body: if self.alt_response { Vec::new() } else { b"upstream request timeout".to_vec() },
            details: details.to_owned(),
            ..LocalReply::default()
        })
    }

    fn reset(&self, details: String) -> RouterEvent {
        self.stream.info_mut().response_code_details = Some(details.clone());
        RouterEvent::Reset(details)
    }

    /// At the end of the host's response: records how long it took since the request was complete.
    fn end_if(&mut self, end_stream: bool, index: usize, now: Instant) {
        if end_stream {
            // Without trailers there is no status.
            if self.grpc_pending {
                self.charge_grpc(index, None);
            }
            if let (Some(complete), Some(upstream)) = (self.request_complete, self.upstreams.get(index)) {
                let took = milliseconds(now.saturating_duration_since(complete));
                upstream.cluster().codes.time(took, self.is_internal(), self.canary);
                self.scopes.iter().for_each(|scope| scope.codes.time(took));
            }
            self.finish();
        }
    }

    fn cluster(&self, index: usize) -> Option<Rc<WorkerCluster>> {
        self.upstreams.get(index).map(|upstream| Rc::clone(upstream.cluster()))
    }
}
