//! What a route says of forwarding, ready for use.

use std::rc::Rc;

use sandgate_config::model::{RetryPolicy, RouteAction};

use super::timeouts::Timeouts;
use super::upstream_request::PerTry;

/// How requests of a route are forwarded.
#[derive(Clone, Debug)]
pub(crate) struct ForwardPolicy {
    pub(super) timeouts: Timeouts,
    pub(super) retry: Option<Rc<RetryPolicy>>,
    pub(super) hedge_on_per_try_timeout: bool,
    pub(super) include_is_timeout_retry_header: bool,
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
            retry: retry.cloned().map(Rc::new),
            hedge_on_per_try_timeout: action.hedge_policy.hedge_on_per_try_timeout,
            include_is_timeout_retry_header: action.include_is_timeout_retry_header,
        }
    }
}
