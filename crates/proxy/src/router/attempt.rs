//! Attempts: the first, and those after it.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use sandgate_config::model::RoutingPriority;
use sandgate_filter::{Stream, UpstreamInfo, is_grpc_request, response_flag};
use sandgate_http::{Direction, HeaderMap};

use super::grpc_timeout::set_grpc_timeout;
use super::hash_policy::request_hash;
use super::mirror::{self, Mirror};
use super::replay::Replay;
use super::retry::{Retry, RetryStatus};
use super::tunnel::Tunnel;
use super::upstream_request::PerTry;
use super::{ForwardPolicy, ResetReason, Router, UpstreamEvent, UpstreamRequest, headers};
use crate::cluster::{LbContext, WorkerCluster, subset_criteria};
use crate::hcm::make_filters;
use crate::pool::{HostPool, PoolKey, PoolProtocol, TlsNames};
use crate::route_table::{RouteEntry, Target};

impl Router {
    pub(super) fn first_attempt(
        &mut self,
        cx: &mut Context<'_>,
        route: &RouteEntry,
        cluster: &Rc<WorkerCluster>,
        policy: &ForwardPolicy,
        end_stream: bool,
        now: Instant,
    ) {
        {
            let mut info = self.stream.info_mut();
            info.cluster_name = Some(Arc::clone(&cluster.name));
            info.cluster_alt_name.clone_from(&cluster.alt_name);
            info.upstream.cluster_metadata = cluster.metadata.clone();
            info.upstream.cluster_endpoints = Some(cluster.host_count() as u64);
        }
        let hash_policies = cluster.hash_policies(&policy.hash);
        if !hash_policies.is_empty() {
            self.hash = request_hash(hash_policies, &self.stream);
        }
        if cluster.has_subsets() {
            self.criteria = subset_criteria(
                route.metadata_match(),
                &[&self.stream.connection().dynamic_metadata, &self.stream.info().dynamic_metadata],
            );
        }
        self.find_tunnel(policy);
        let key = self.pool_key(Some(route), cluster, policy.priority, now);
        let Some(pool) = self.choose(cluster, key, now) else { return self.no_healthy_upstream(cluster) };
        self.steer(route, policy, now);
        if !policy.mirrors.is_empty() {
            self.start_mirrors(policy, end_stream);
        }
        if self.retry.is_some() && !end_stream {
            self.replay = Some(Replay::new(self.stream.buffer_limit()));
        }
        if self.tunnel == Tunnel::WebSocket {
            // The answer to the handshake must come in time, although the request does not end.
            self.deadline = self.timeouts.global.map(|timeout| now + timeout);
        }
        self.attempt(cx, cluster, &pool, end_stream, now);
    }

    /// Finds out what the request becomes.
    fn find_tunnel(&mut self, policy: &ForwardPolicy) {
        if self.may_tunnel || policy.connect.is_some() {
            let headers = self.stream.headers(Direction::Request);
            self.tunnel = headers.map_or(Tunnel::No, |headers| Tunnel::of(&headers, policy.connect));
        }
    }

    /// The host that load balancing chooses for this request.
    fn choose(&self, cluster: &Rc<WorkerCluster>, key: PoolKey, now: Instant) -> Option<Rc<HostPool>> {
        let criteria = self.criteria.as_deref();
        cluster.choose(&mut LbContext { hash: self.hash.hash, criteria, ..LbContext::default() }, key, now)
    }

    fn pool_key(
        &self,
        route: Option<&RouteEntry>,
        cluster: &WorkerCluster,
        priority: RoutingPriority,
        now: Instant,
    ) -> PoolKey {
        let mut key = cluster.pool_key(priority, self.stream.info().protocol);
        if self.tunnel == Tunnel::Tcp {
            key.protocol = PoolProtocol::Tcp;
        }
        if let Some(config) = cluster.auto_names()
            && let Some(headers) = self.stream.headers(Direction::Request)
        {
            let host = route.and_then(|route| route.new_host(&headers, &self.stream, now));
            TlsNames::set(config, &headers, host.as_deref(), &mut self.stream.info_mut().filter_state);
        }
        key.names = TlsNames::of(&self.stream.info().filter_state);
        key
    }

    /// What the route and the request's headers say of timeouts, retries and hedges; these headers go no further. On the way the
    /// request becomes what the route makes of it, so that the route may steer retries by headers, too.
    fn steer(&mut self, route: &RouteEntry, policy: &ForwardPolicy, now: Instant) {
        self.timeouts = policy.timeouts;
        self.hedging = policy.hedge_on_per_try_timeout;
        let Some(mut headers) = self.stream.headers_mut(Direction::Request) else { return };
        let mut steered = headers::may_steer(&headers);
        let grpc_timeout = policy.grpc_timeout(&headers).filter(|_| is_grpc_request(&headers));
        if let Some(timeout) = grpc_timeout {
            self.timeouts.global = (!timeout.is_zero()).then_some(timeout);
        }
        if steered {
            match headers.get(b"x-envoy-hedge-on-per-try-timeout") {
                Some(b"true") => self.hedging = true,
                Some(b"false") => self.hedging = false,
                _ => {}
            }
            let respect = self.config.filter.respect_expected_rq_timeout;
            self.timeouts = self.timeouts.take(&mut headers, respect);
            let limit = headers.get(b"x-envoy-upstream-stream-duration-ms").and_then(headers::parse_number);
            self.max_stream_duration = limit.map(Duration::from_millis);
            self.alt_response = headers.contains(b"x-envoy-upstream-rq-timeout-alt-response");
        }
        self.timeouts = self.timeouts.checked();
        self.tell_timeouts(policy, &mut headers, Duration::ZERO);
        if policy.include_request_attempt_count {
            headers.set(b"x-envoy-attempt-count", b"1");
        }
        if route.finalize_request_headers(&mut headers, &self.stream, !self.suppress_envoy_headers, now) {
            steered = headers::may_steer(&headers);
        }
        if steered || policy.retry.is_some() {
            self.retry = Retry::new(policy.retry.as_ref(), policy.priority, &headers, &self.worker.runtime);
            if let Some(retry) = &mut self.retry {
                retry.count_in(&self.scopes);
            }
        }
        if steered {
            headers::consume(&mut headers);
        }
    }

    /// Tells the upstream of the time that is left.
    fn tell_timeouts(&self, policy: &ForwardPolicy, headers: &mut HeaderMap, elapsed: Duration) {
        let Some(expected) = self.timeouts.expected(elapsed, self.hedging) else { return };
        if !self.suppress_envoy_headers {
            headers::set_millis(headers, b"x-envoy-expected-rq-timeout-ms", expected);
        }
        if policy.max_grpc_timeout.is_some() && is_grpc_request(headers) {
            set_grpc_timeout(headers, expected);
        }
    }

    /// Sends the headers of the request to a host; `end_stream`: they are all there is.
    fn attempt(
        &mut self,
        cx: &mut Context<'_>,
        cluster: &Rc<WorkerCluster>,
        pool: &Rc<HostPool>,
        end_stream: bool,
        now: Instant,
    ) {
        self.attempts += 1;
        {
            let host = pool.host();
            let mut info = self.stream.info_mut();
            info.upstream.attempt_count = self.attempts;
            info.upstream.address = Some(host.address());
            let name = Arc::clone(&host.hostname);
            // Only hosts that a connection stood to count, and only of the last attempt (observed in Envoy 1.40).
            info.hosts_attempted.clear();
            info.connection_ids_attempted.clear();
            info.upstream.host_name = Some(name);
            info.upstream.host_metadata = host.metadata.clone();
            info.upstream.locality = host.locality_message.clone();
            info.upstream.locality_metadata = host.locality_metadata.clone();
        }
        if let Some(forward) = &self.forward
            && forward.route.rewrites_host_by_upstream()
            && let Some(mut headers) = self.stream.headers_mut(Direction::Request)
        {
            forward.route.rewrite_host(&mut headers, &pool.host().hostname, !self.suppress_envoy_headers);
        }
        if let Some(retry) = &mut self.retry {
            retry.attempted(&pool.host());
        }
        let acquired = pool.acquire(cx);
        let max_duration = match self.max_stream_duration {
            Some(max) => (!max.is_zero()).then_some(max),
            None => cluster.config.http.max_stream_duration,
        };
        let per_try = PerTry { max_duration, ..self.timeouts.per_try };
        let mut upstream = UpstreamRequest::start(cluster, pool, &self.stream, per_try, &self.scopes, acquired, now);
        upstream.set_tunnel(self.tunnel, now);
        let route = self.forward.as_ref().map(|forward| &*forward.route);
        let of_cluster = cluster.filters();
        let filters = match of_cluster.as_slice() {
            [] => &self.config.upstream_filters,
            filters => filters,
        };
        if !filters.is_empty() {
            upstream.add_filters(make_filters(filters, route));
        }
        drop(of_cluster);
        upstream.push_headers(end_stream);
        if !self.in_hostcall {
            upstream.show_headers();
        }
        let failed = upstream.has_failed();
        self.upstreams.push(upstream);
        if failed {
            let event = UpstreamEvent::Reset(ResetReason::Overflow);
            self.answer = self.on_upstream_event(self.upstreams.len() - 1, event, now);
        }
    }

    /// The time has come for another attempt.
    pub(super) fn try_again(&mut self, cx: &mut Context<'_>, for_timeout: bool, now: Instant) {
        let Some(forward) = &self.forward else { return };
        let (route, cluster) = (Rc::clone(&forward.route), Rc::clone(&forward.cluster));
        let priority = match &route.target {
            Target::Cluster { policy, .. } => policy.priority,
            _ => RoutingPriority::Default,
        };
        let (hash, key) = (self.hash.hash, self.pool_key(Some(&route), &cluster, priority, now));
        let chosen = match &mut self.retry {
            Some(retry) => retry.choose(&cluster, hash, self.criteria.as_deref(), key, now),
            None => self.choose(&cluster, key, now),
        };
        let Some(pool) = chosen else {
            self.attempts += 1;
            self.stream.info_mut().upstream.attempt_count = self.attempts;
            return self.no_healthy_upstream(&cluster);
        };
        self.renew_info(&cluster);
        self.renew_headers(&route.target, for_timeout, now);
        let has_body = self.replay.as_ref().is_some_and(|replay| replay.has_body);
        let trailers = self.stream.trailers(Direction::Request).is_some();
        self.attempt(cx, &cluster, &pool, self.request_complete.is_some() && !has_body && !trailers, now);
        self.send_again(now);
    }

    /// What is known of the last attempt does not count for the next.
    fn renew_info(&mut self, cluster: &WorkerCluster) {
        // Bytes are counted over all attempts (observed in Envoy 1.40).
        let bytes = self.stream.info().upstream.bytes;
        if let Some(upstream) = self.upstreams.last_mut() {
            upstream.put_aside();
        }
        self.stream.info_mut().upstream = UpstreamInfo {
            cluster_metadata: cluster.metadata.clone(),
            cluster_endpoints: Some(cluster.host_count() as u64),
            bytes,
            ..UpstreamInfo::default()
        };
    }

    fn renew_headers(&self, target: &Target, for_timeout: bool, now: Instant) {
        let Target::Cluster { policy, .. } = target else { return };
        let Some(mut headers) = self.stream.headers_mut(Direction::Request) else { return };
        if policy.include_request_attempt_count {
            headers.set(b"x-envoy-attempt-count", (self.attempts + 1).to_string().as_bytes());
        }
        if policy.include_is_timeout_retry_header {
            headers.set(b"x-envoy-is-timeout-retry", if for_timeout { b"true" } else { b"false" });
        }
        let elapsed = self.request_complete.map_or(Duration::ZERO, |complete| now.duration_since(complete));
        self.tell_timeouts(policy, &mut headers, elapsed);
    }

    /// Gives the newest attempt what has come of the request.
    fn send_again(&mut self, now: Instant) {
        let Some(upstream) = self.upstreams.last_mut() else { return };
        let complete = self.request_complete.is_some();
        let trailers = complete && self.stream.trailers(Direction::Request).is_some();
        match &self.replay {
            Some(replay) if replay.has_body => upstream.push_data(replay.body.clone(), complete && !trailers),
            _ => {}
        }
        if trailers {
            upstream.push_trailers();
        }
        if complete {
            upstream.on_request_complete(now);
        }
    }

    fn no_healthy_upstream(&mut self, cluster: &WorkerCluster) {
        self.charge_cluster(cluster, 503, false);
        self.stream.info_mut().set_response_flag(response_flag::NO_HEALTHY_UPSTREAM);
        self.reply(503, "no healthy upstream", "no_healthy_upstream");
    }

    fn start_mirrors(&mut self, policy: &ForwardPolicy, end_stream: bool) {
        let Some(request) = self.stream.headers(Direction::Request) else { return };
        if request.get(b":method") == Some(b"CONNECT") {
            return;
        }
        let random = fastrand::u64(..);
        for mirror in &policy.mirrors {
            let Some(cluster) = mirror::cluster(&self.worker, mirror, &request, random) else { continue };
            let headers = mirror::headers(&self.worker, mirror, &request);
            let make =
                |stream: &Rc<Stream>| (Self::new(&self.worker, &self.config, stream), cluster, self.timeouts.global);
            self.mirrors.push(Mirror::start(&self.stream, headers, end_stream, make));
        }
    }

    /// Begins as a mirror: to this cluster, without retries.
    pub(super) fn begin_mirror(
        &mut self,
        cx: &mut Context<'_>,
        cluster: &Rc<WorkerCluster>,
        timeout: Option<Duration>,
        end_stream: bool,
        now: Instant,
    ) {
        let key = self.pool_key(None, cluster, RoutingPriority::Default, now);
        let Some(pool) = self.choose(cluster, key, now) else {
            return self.no_healthy_upstream(cluster);
        };
        self.stream.info_mut().cluster_name = Some(Arc::clone(&cluster.name));
        self.timeouts.global = timeout;
        if let Some(mut headers) = self.stream.headers_mut(Direction::Request)
            && !self.suppress_envoy_headers
            && let Some(timeout) = timeout
        {
            headers::set_millis(&mut headers, b"x-envoy-expected-rq-timeout-ms", timeout);
        }
        self.attempt(cx, cluster, &pool, end_stream, now);
        if end_stream {
            self.on_request_complete(now);
        }
    }

    pub(super) fn mirror_trailers(&self) {
        if self.mirrors.is_empty() {
            return;
        }
        let trailers = self.stream.trailers(Direction::Request).map(|trailers| trailers.clone()).unwrap_or_default();
        self.mirrors.iter().for_each(|mirror| mirror.trailers(trailers.clone()));
    }

    /// The request is larger than what is kept of it.
    pub(super) fn abandon_retries(&mut self) {
        (self.retry, self.replay) = (None, None);
        if let Some(forward) = &self.forward {
            forward.cluster.stats.retry_or_shadow_abandoned().inc();
        }
        // Nobody can be given the rest of the request any more.
        if self.upstreams.is_empty() {
            let (body, details) = (
                "exceeded request buffer limit while retrying upstream",
                "request_payload_exceeded_retry_buffer_limit",
            );
            self.reply(507, body, details);
        }
    }

    /// Notes why there is no other attempt; whether there is one.
    pub(super) fn will_retry(&mut self, status: RetryStatus) -> bool {
        let flag = match status {
            RetryStatus::Yes => return true,
            RetryStatus::No => return false,
            RetryStatus::NoOverflow => response_flag::UPSTREAM_OVERFLOW,
            RetryStatus::NoRetryLimitExceeded => response_flag::UPSTREAM_RETRY_LIMIT_EXCEEDED,
        };
        self.stream.info_mut().set_response_flag(flag);
        false
    }

    /// An attempt has failed without a response: whether another follows. If so, it is gone.
    pub(super) fn retry_reset(&mut self, index: usize, reason: &ResetReason, for_timeout: bool, now: Instant) -> bool {
        if self.response_started {
            return false;
        }
        let (Some(retry), Some(upstream)) = (&mut self.retry, self.upstreams.get(index)) else { return false };
        if upstream.is_retried() {
            return false;
        }
        let status = retry.on_reset(upstream.cluster(), reason, upstream.has_begun(), for_timeout, now);
        if !self.will_retry(status) {
            return false;
        }
        self.inc_host(index, |stats| &stats.rq_error);
        self.upstreams.remove(index);
        true
    }

    /// An attempt has run into its time and goes on: another begins beside it, if retries are left.
    pub(super) fn hedge(&mut self, index: usize, now: Instant) {
        if let Some(upstream) = self.upstreams.get(index) {
            self.tell_timeout(upstream);
        }
        let (Some(retry), Some(upstream)) = (&mut self.retry, self.upstreams.get_mut(index)) else { return };
        upstream.set_timeout_told();
        if self.response_started || upstream.is_retried() {
            return;
        }
        let status = retry.on_soft_timeout(upstream.cluster(), now);
        if status == RetryStatus::Yes {
            upstream.set_retried();
        }
        self.will_retry(status);
    }
}
