//! What a route says of forwarding, ready for use.

use std::rc::Rc;
use std::time::Duration;

use sandgate_config::model::{
    ConnectConfig, HashPolicy, MaxStreamDuration, RequestMirrorPolicy, RetryPolicy, RouteAction, RouteUpgrade,
    RoutingPriority,
};
use sandgate_filter::Stream;
use sandgate_http::{Direction, HeaderMap};
use sandgate_matcher::HeaderMatcher;

use super::grpc_timeout::{grpc_timeout, set_grpc_timeout};
use super::timeouts::Timeouts;
use super::upstream_request::PerTry;

/// How requests of a route are forwarded.
#[derive(Clone, Debug)]
pub(crate) struct ForwardPolicy {
    pub(super) timeouts: Timeouts,
    pub(super) retry: Option<Rc<CompiledRetryPolicy>>,
    pub(super) hedge_on_per_try_timeout: bool,
    pub(super) include_is_timeout_retry_header: bool,
    pub(super) hash: Vec<HashPolicy>,
    pub(super) priority: RoutingPriority,
    pub(super) include_request_attempt_count: bool,
    pub(super) include_attempt_count_in_response: bool,
    pub(super) mirrors: Vec<RequestMirrorPolicy>,
    pub(super) max_grpc_timeout: Option<Duration>,
    pub(super) grpc_timeout_offset: Option<Duration>,
    max_stream_duration: Option<MaxStreamDuration>,
    pub(crate) upgrades: Vec<RouteUpgrade>,
    /// CONNECT ends here.
    pub(super) connect: Option<ConnectConfig>,
}

/// A retry policy with its matchers.
#[derive(Debug)]
pub(super) struct CompiledRetryPolicy {
    pub(super) config: RetryPolicy,
    pub(super) headers: Vec<HeaderMatcher>,
    pub(super) request_headers: Vec<HeaderMatcher>,
}

// === impl CompiledRetryPolicy ===

impl CompiledRetryPolicy {
    pub(super) fn new(config: &RetryPolicy) -> Self {
        Self {
            headers: HeaderMatcher::list(&config.retriable_headers),
            request_headers: HeaderMatcher::list(&config.retriable_request_headers),
            config: config.clone(),
        }
    }
}

// === impl ForwardPolicy ===

impl ForwardPolicy {
    pub(crate) fn new(action: &RouteAction) -> Self {
        let retry = action.retry_policy.as_ref();
        let per_try = PerTry {
            timeout: retry.and_then(|retry| retry.per_try_timeout),
            idle_timeout: retry.and_then(|retry| retry.per_try_idle_timeout),
            max_duration: None,
        };
        Self {
            timeouts: Timeouts {
                // `max_stream_duration` stands for the timeout where it is set.
                global: action.timeout.filter(|_| action.max_stream_duration.is_none()),
                per_try,
            },
            retry: retry.map(CompiledRetryPolicy::new).map(Rc::new),
            hedge_on_per_try_timeout: action.hedge_policy.hedge_on_per_try_timeout,
            include_is_timeout_retry_header: action.include_is_timeout_retry_header,
            hash: action.hash_policies.clone(),
            priority: action.priority,
            include_request_attempt_count: action.include_request_attempt_count,
            include_attempt_count_in_response: action.include_attempt_count_in_response,
            mirrors: action.request_mirror_policies.clone(),
            max_grpc_timeout: action.max_grpc_timeout.filter(|_| action.max_stream_duration.is_none()),
            grpc_timeout_offset: action.grpc_timeout_offset,
            max_stream_duration: action.max_stream_duration,
            upgrades: action.upgrades.clone(),
            connect: action.connect,
        }
    }

    /// The timeout that a gRPC request asks for, as far as the route lets it; zero is none.
    pub(super) fn grpc_timeout(&self, headers: &HeaderMap) -> Option<Duration> {
        let max = self.max_grpc_timeout?;
        let mut timeout = grpc_timeout(headers).unwrap_or_default();
        if let Some(offset) = self.grpc_timeout_offset
            && offset < timeout
        {
            timeout -= offset;
        }
        let capped = !max.is_zero() && (timeout.is_zero() || timeout > max);
        Some(if capped { max } else { timeout })
    }

    /// How long the whole stream may take, if the route says so; zero is no limit. A `grpc-timeout` becomes
    /// what the stream has.
    pub(crate) fn max_stream_duration(&self, stream: &Stream) -> Option<Duration> {
        let config = self.max_stream_duration?;
        let mut headers = stream.headers_mut(Direction::Request);
        let asked = headers.as_deref().and_then(grpc_timeout);
        let timeout = match (config.grpc_timeout_header_max, asked) {
            (Some(max), Some(asked)) => limited(asked, max, config.grpc_timeout_header_offset),
            _ => config.max?,
        };
        if let Some(headers) = &mut headers
            && asked.is_some()
            && !timeout.is_zero()
        {
            set_grpc_timeout(headers, timeout);
        }
        Some(timeout)
    }
}

/// A `grpc-timeout` of at most `max`, less `offset`; zero is no limit.
fn limited(asked: Duration, max: Duration, offset: Option<Duration>) -> Duration {
    let timeout = if max.is_zero() { asked } else { asked.min(max) };
    match offset {
        // Nothing left is no time at all, not no limit.
        Some(offset) if !timeout.is_zero() => timeout.saturating_sub(offset).max(Duration::from_millis(1)),
        _ => timeout,
    }
}
