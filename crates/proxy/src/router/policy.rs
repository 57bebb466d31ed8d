//! What a route says of forwarding, ready for use.

use std::rc::Rc;

use sandgate_config::model::{HashPolicy, RetryPolicy, RouteAction, RoutingPriority};
use sandgate_matcher::HeaderMatcher;

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
        };
        Self {
            timeouts: Timeouts { global: action.timeout, per_try },
            retry: retry.map(CompiledRetryPolicy::new).map(Rc::new),
            hedge_on_per_try_timeout: action.hedge_policy.hedge_on_per_try_timeout,
            include_is_timeout_retry_header: action.include_is_timeout_retry_header,
            hash: action.hash_policies.clone(),
            priority: action.priority,
        }
    }
}
