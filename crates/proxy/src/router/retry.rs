//! Whether a request is tried again, and when: Envoy's `RetryState`.

mod back_off;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sandgate_config::model::{MetadataCriteria, RetryOn, RoutingPriority};
use sandgate_http::HeaderMap;
use sandgate_matcher::any_match;

use super::ResetReason;
use super::headers::parse_number;
use super::host_selection::HostSelection;
use super::policy::CompiledRetryPolicy;
use crate::cluster::{Host, LbContext, ResourceGuard, WorkerCluster};
use crate::pool::{HostPool, PoolKey};
use crate::route_table::RequestScopes;
use crate::runtime::Runtime;
pub(crate) use back_off::BackOffState;
use back_off::reset_interval;

/// What a request needs to be tried again. There is one while no response was passed on, and only if there is a condition
/// on which to try again.
pub(crate) struct Retry {
    on: RetryOn,
    remaining: u64,
    status_codes: Vec<u32>,
    /// Names of response headers that the request's `x-envoy-retriable-header-names` gives.
    header_names: Vec<Vec<u8>>,
    back_off: BackOffState,
    policy: Option<Rc<CompiledRetryPolicy>>,
    priority: RoutingPriority,
    hosts: HostSelection,
    /// What the request is counted by besides the cluster.
    scopes: RequestScopes,
    runtime: Arc<Runtime>,
    /// A retry is waited for or in flight: its share of the circuit breaker.
    slot: Option<ResourceGuard>,
    /// When the next attempt begins.
    due: Option<Due>,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    at: Instant,
    for_timeout: bool,
    /// The response asked for the wait.
    told: bool,
}

/// What is to become of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryStatus {
    /// It is no failure, or none to try again for.
    No,
    /// The circuit breaker for retries is open.
    NoOverflow,
    /// There were as many as are allowed.
    NoRetryLimitExceeded,
    /// Another attempt is waited for.
    Yes,
}

// === impl Retry ===

impl Retry {
    /// What `policy` and the request's headers say; nothing if no condition is named.
    pub(crate) fn new(
        policy: Option<&Rc<CompiledRetryPolicy>>,
        priority: RoutingPriority,
        request: &HeaderMap,
        runtime: &Arc<Runtime>,
    ) -> Option<Box<Self>> {
        let configured = policy.map_or(RetryOn::default(), |policy| policy.config.retry_on);
        let (http, grpc) = (request.get(b"x-envoy-retry-on"), request.get(b"x-envoy-retry-grpc-on"));
        if configured.is_empty() && http.is_none() && grpc.is_none() {
            return None;
        }
        let header = |value: Option<&[u8]>, parse: fn(&str) -> (RetryOn, bool)| {
            value.and_then(|value| std::str::from_utf8(value).ok()).map_or(RetryOn::default(), |text| parse(text).0)
        };
        let mut on = configured | header(http, RetryOn::parse_http) | header(grpc, RetryOn::parse_grpc);
        if policy
            .is_some_and(|policy| !policy.request_headers.is_empty() && !any_match(&policy.request_headers, request))
        {
            on = RetryOn::default();
        }
        let mut remaining = policy.map_or(1, |policy| policy.config.num_retries.into());
        if !on.is_empty()
            && let Some(max) = request.get(b"x-envoy-max-retries").and_then(parse_number)
        {
            remaining = max;
        }
        let mut status_codes = policy.map_or_else(Vec::new, |policy| policy.config.retriable_status_codes.clone());
        if let Some(codes) = request.get(b"x-envoy-retriable-status-codes") {
            status_codes.extend(tokens(codes).filter_map(parse_number).filter_map(|code| u32::try_from(code).ok()));
        }
        let names = request.get(b"x-envoy-retriable-header-names").unwrap_or_default();
        Some(Box::new(Self {
            scopes: RequestScopes::new(),
            runtime: Arc::clone(runtime),
            on,
            remaining,
            status_codes,
            header_names: tokens(names).map(|name| name.trim_ascii().to_ascii_lowercase()).collect(),
            back_off: BackOffState::new(policy.map(|policy| &policy.config.back_off), runtime),
            policy: policy.cloned(),
            priority,
            hosts: HostSelection::default(),
            slot: None,
            due: None,
        }))
    }

    /// The request goes to `host`.
    pub(crate) fn attempted(&mut self, host: &Arc<Host>) {
        if self.policy.as_ref().is_some_and(|policy| HostSelection::matters(policy)) {
            self.hosts.attempted(host);
        }
    }

    /// A host for another attempt.
    pub(crate) fn choose(
        &mut self,
        cluster: &Rc<WorkerCluster>,
        hash: Option<u64>,
        criteria: Option<&MetadataCriteria>,
        key: PoolKey,
        now: Instant,
    ) -> Option<Rc<HostPool>> {
        match self.policy.as_ref().filter(|policy| HostSelection::matters(policy)) {
            Some(policy) => {
                let wishes = LbContext { hash, criteria, ..LbContext::default() };
                self.hosts.choose(policy, cluster, wishes, |context| cluster.choose(context, key, now))
            }
            None => cluster.choose(&mut LbContext { hash, criteria, ..LbContext::default() }, key, now),
        }
    }

    /// Counts in these scopes, too.
    pub(crate) fn count_in(&mut self, scopes: &RequestScopes) {
        self.scopes.clone_from(scopes);
    }

    /// When the next attempt begins, if one is waited for.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.map(|due| due.at)
    }

    /// Whether an attempt is to begin now, and if so whether the last one ran into its time. Only now does it count as a
    /// retry (observed in Envoy 1.40).
    pub(crate) fn take_due(&mut self, cluster: &WorkerCluster, now: Instant) -> Option<bool> {
        let due = self.due.take_if(|due| due.at <= now)?;
        let stats = &cluster.stats;
        stats.upstream_rq_retry().inc();
        self.scopes.iter().for_each(|scope| scope.stats.upstream_rq_retry().inc());
        if due.told {
            stats.upstream_rq_retry_backoff_ratelimited().inc();
        } else {
            stats.upstream_rq_retry_backoff_exponential().inc();
        }
        Some(due.for_timeout)
    }

    /// A response has come.
    pub(crate) fn on_headers(
        &mut self,
        cluster: &WorkerCluster,
        status: u16,
        response: &HeaderMap,
        now: Instant,
    ) -> RetryStatus {
        let wanted = self.wants_headers(status, response);
        if wanted
            && let Some(limits) = self.policy.as_ref().and_then(|policy| policy.config.rate_limited_back_off.as_ref())
            && let Some(interval) = reset_interval(limits, response)
        {
            self.back_off.wait_at_least(interval);
        }
        self.decide(cluster, wanted, false, now)
    }

    /// No response will come.
    pub(crate) fn on_reset(
        &mut self,
        cluster: &WorkerCluster,
        reason: &ResetReason,
        begun: bool,
        for_timeout: bool,
        now: Instant,
    ) -> RetryStatus {
        let wanted = self.wants_reset(reason, begun);
        self.decide(cluster, wanted, for_timeout, now)
    }

    /// An attempt ran into its time and goes on beside the next: always, if retries are left.
    pub(crate) fn on_soft_timeout(&mut self, cluster: &WorkerCluster, now: Instant) -> RetryStatus {
        self.decide(cluster, true, true, now)
    }

    fn decide(&mut self, cluster: &WorkerCluster, wanted: bool, for_timeout: bool, now: Instant) -> RetryStatus {
        let stats = &cluster.stats;
        if self.slot.take().is_some() && !wanted {
            stats.upstream_rq_retry_success().inc();
            self.scopes.iter().for_each(|scope| scope.stats.upstream_rq_retry_success().inc());
        }
        self.due = None;
        if !wanted {
            return RetryStatus::No;
        }
        if self.remaining == 0 {
            stats.upstream_rq_retry_limit_exceeded().inc();
            self.scopes.iter().for_each(|scope| scope.stats.upstream_rq_retry_limit_exceeded().inc());
            return RetryStatus::NoRetryLimitExceeded;
        }
        self.remaining -= 1;
        let Some(slot) = cluster.resources(self.priority).acquire_retry() else {
            stats.upstream_rq_retry_overflow().inc();
            self.scopes.iter().for_each(|scope| scope.stats.upstream_rq_retry_overflow().inc());
            return RetryStatus::NoOverflow;
        };
        // Only here, as in Envoy: what it keeps back counts among those that are left all the same.
        if !self.runtime.feature("upstream.use_retry", 100) {
            return RetryStatus::No;
        }
        self.slot = Some(slot);
        let (wait, told) = self.back_off.next();
        self.due = Some(Due { at: now + wait, for_timeout, told });
        RetryStatus::Yes
    }

    /// Whether such a response is one to try again for.
    pub(crate) fn wants_headers(&self, status: u16, response: &HeaderMap) -> bool {
        // Another Envoy's limit: trying again otherwise would make it worse.
        if response.contains(b"x-envoy-ratelimited") {
            return self.on.has(RetryOn::ENVOY_RATE_LIMITED);
        }
        let conditions = [
            (RetryOn::SERVER_ERROR, (500..600).contains(&status)),
            (RetryOn::GATEWAY_ERROR, (502..=504).contains(&status)),
            (RetryOn::RETRIABLE_4XX, status == 409),
            (RetryOn::RETRIABLE_STATUS_CODES, self.status_codes.contains(&status.into())),
        ];
        conditions.iter().any(|(condition, holds)| *holds && self.on.has(*condition))
            || self.on.has(RetryOn::RETRIABLE_HEADERS) && self.has_retriable_header(response)
            || self.wants_grpc_status(response)
    }

    fn has_retriable_header(&self, response: &HeaderMap) -> bool {
        self.header_names.iter().any(|name| response.contains(name))
            || self.policy.as_ref().is_some_and(|policy| any_match(&policy.headers, response))
    }

    fn wants_grpc_status(&self, response: &HeaderMap) -> bool {
        let Some(status) = response.get(b"grpc-status").and_then(parse_number) else { return false };
        let condition = match status {
            1 => RetryOn::GRPC_CANCELLED,
            4 => RetryOn::GRPC_DEADLINE_EXCEEDED,
            8 => RetryOn::GRPC_RESOURCE_EXHAUSTED,
            13 => RetryOn::GRPC_INTERNAL,
            14 => RetryOn::GRPC_UNAVAILABLE,
            _ => return false,
        };
        self.on.has(condition)
    }

    fn wants_reset(&self, reason: &ResetReason, begun: bool) -> bool {
        if *reason == ResetReason::Overflow {
            return false;
        }
        let no_connection = matches!(reason, ResetReason::ConnectionFailure(_) | ResetReason::ConnectionTimeout);
        no_connection && self.on.has(RetryOn::CONNECT_FAILURE)
            || *reason == ResetReason::RemoteRefusedStream && self.on.has(RetryOn::REFUSED_STREAM)
            || !begun && self.on.has(RetryOn::RESET_BEFORE_REQUEST)
            || self.on.has(RetryOn::RESET | RetryOn::SERVER_ERROR | RetryOn::GATEWAY_ERROR)
    }
}

fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests;
