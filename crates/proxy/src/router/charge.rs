//! What is counted of responses and failures, and what hosts are told of them.

use std::sync::atomic::AtomicU64;

use sandgate_filter::is_grpc_request;
use sandgate_http::{Direction, HeaderMap};
use sandgate_load_balancing::OutlierResult;

use super::headers::parse_number;
use super::{Router, UpstreamRequest};
use crate::cluster::{HostStats, WorkerCluster};

/// What the router reads of response headers, found in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResponseNotes {
    /// `x-envoy-upstream-canary: true`.
    pub(super) canary: bool,
    /// `x-envoy-immediate-health-check-fail`.
    immediate_failure: bool,
    degraded: bool,
    grpc_status: Option<u64>,
}

impl ResponseNotes {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut notes = Self::default();
        for (name, value) in headers.iter() {
            match name {
                b"grpc-status" => notes.grpc_status = parse_number(value),
                b"x-envoy-upstream-canary" => notes.canary = value == b"true",
                b"x-envoy-immediate-health-check-fail" => notes.immediate_failure = true,
                b"x-envoy-degraded" => notes.degraded = true,
                _ => {}
            }
        }
        notes
    }
}

impl Router {
    /// Counts a response of the cluster. Requests are internal if a filter says so: from clients the header is removed.
    pub(super) fn charge_cluster(&self, cluster: &WorkerCluster, code: u32, canary: bool) {
        if self.hides_code() {
            cluster.count_response_without_code(code, self.is_internal(), canary);
        } else {
            cluster.count_response(code, self.is_internal(), canary);
        }
        self.scopes.iter().for_each(|scope| scope.codes.count(code));
    }

    /// Whether the codes of this request are not to be counted.
    fn hides_code(&self) -> bool {
        self.config.filter.suppress_grpc_request_failure_code_stats && self.is_grpc()
    }

    pub(super) fn is_internal(&self) -> bool {
        let headers = self.stream.headers(Direction::Request);
        headers.is_some_and(|headers| headers.get(b"x-envoy-internal") == Some(b"true"))
    }

    pub(super) fn is_grpc(&self) -> bool {
        self.stream.headers(Direction::Request).is_some_and(|headers| is_grpc_request(&headers))
    }

    /// Counts a response of a host, or a reply for want of one.
    pub(super) fn charge(&self, upstream: &UpstreamRequest, code: u32, canary: bool) {
        let canary = canary || upstream.host().canary;
        self.charge_cluster(upstream.cluster(), code, canary);
        if (500..600).contains(&code) {
            HostStats::inc(&upstream.host().stats.rq_error);
        }
    }

    /// No response came of an attempt.
    pub(super) fn charge_abort(&self, index: usize, code: u32) {
        let Some(upstream) = self.upstreams.get(index) else { return };
        let stats = &upstream.host().stats;
        if !self.response_started {
            self.charge(upstream, code, false);
            if !(500..600).contains(&code) {
                HostStats::inc(&stats.rq_error);
            }
        } else if self.grpc_pending {
            HostStats::inc(&stats.rq_error);
            self.config.stats.rq_reset_after_downstream_response_started().inc();
        }
    }

    /// A response of a host is passed on, or it is tried again for it: what the host's monitors learn of it.
    pub(super) fn tell_host(&self, index: usize, status: u16, notes: ResponseNotes) {
        let Some(upstream) = self.upstreams.get(index) else { return };
        let host = upstream.host();
        let grpc = notes.grpc_status.filter(|_| self.is_grpc());
        host.outlier().put_http_response_code(grpc.map_or(status, http_status_from_grpc));
        if notes.immediate_failure {
            host.health_checker().set_unhealthy_immediately();
        }
        if notes.degraded {
            host.outlier().put_degraded();
        }
    }

    pub(super) fn tell_timeout(&self, upstream: &UpstreamRequest) {
        let code = u16::try_from(self.timeout_status()).ok();
        upstream.host().outlier().put_result(OutlierResult::LocalOriginTimeout, code);
    }

    /// Counts a response that is no 5xx. What a gRPC response is worth, its trailers say.
    pub(super) fn charge_success(&mut self, index: usize, notes: ResponseNotes, end_stream: bool) {
        if !self.is_grpc() {
            self.inc_host(index, |stats| &stats.rq_success);
        } else if end_stream {
            self.charge_grpc(index, notes.grpc_status);
        } else {
            self.grpc_pending = true;
        }
    }

    /// The end of a gRPC response and its status.
    pub(super) fn charge_grpc(&mut self, index: usize, status: Option<u64>) {
        self.grpc_pending = false;
        if status.is_some_and(|status| http_status_from_grpc(status) < 500) {
            self.inc_host(index, |stats| &stats.rq_success);
        } else {
            self.inc_host(index, |stats| &stats.rq_error);
        }
    }

    pub(super) fn inc_host(&self, index: usize, value: impl FnOnce(&HostStats) -> &AtomicU64) {
        if let Some(upstream) = self.upstreams.get(index) {
            HostStats::inc(value(&upstream.host().stats));
        }
    }
}

/// The HTTP status that a gRPC status counts as for outlier detection, as in Envoy.
fn http_status_from_grpc(status: u64) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}
