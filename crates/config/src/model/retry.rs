//! Retries and hedges.

use std::ops::BitOr;
use std::time::Duration;

use bytes::Bytes;

use super::HeaderMatcher;

/// Envoy's `envoy.config.route.v3.RetryPolicy`.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// `retry_on`, of HTTP and of gRPC. Headers of the request (`x-envoy-retry-on`, `x-envoy-retry-grpc-on`) add to it.
    pub retry_on: RetryOn,
    /// Requests beside the first, 1 by default; `x-envoy-max-retries` replaces it.
    pub num_retries: u32,
    /// For one attempt, from the end of the request. `None`: the route's timeout alone.
    pub per_try_timeout: Option<Duration>,
    /// Between two events of one attempt's response.
    pub per_try_idle_timeout: Option<Duration>,
    /// Which priority a retry goes to.
    pub retry_priority: Option<RetryPriority>,
    /// Hosts that a retry should not go to.
    pub host_predicates: Vec<RetryHostPredicate>,
    /// How often a host is chosen again that `host_predicates` reject; then it is taken. At least 1, which is the default.
    pub host_selection_max_attempts: u32,
    /// Codes for [`RetryOn::RETRIABLE_STATUS_CODES`]; `x-envoy-retriable-status-codes` adds to them.
    pub retriable_status_codes: Vec<u32>,
    /// Response headers for [`RetryOn::RETRIABLE_HEADERS`]: one that matches is enough.
    pub retriable_headers: Vec<HeaderMatcher>,
    /// Requests are tried again only if one of these matches their headers; empty: all are.
    pub retriable_request_headers: Vec<HeaderMatcher>,
    /// Between attempts.
    pub back_off: BackOff,
    /// Instead, if the response says when to come again.
    pub rate_limited_back_off: Option<RateLimitedBackOff>,
}

/// Conditions of a retry as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn(u32);

/// Envoy's `RetryPolicy.RetryBackOff`: exponential, fully jittered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    /// 25 ms by default, at least 1 ms. The runtime's `upstream.base_retry_backoff_ms` is not read.
    pub base_interval: Option<Duration>,
    /// Ten times the base by default; never below the base.
    pub max_interval: Option<Duration>,
}

/// Envoy's `RetryPolicy.RateLimitedRetryBackOff`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitedBackOff {
    /// The first one that the response has counts.
    pub reset_headers: Vec<ResetHeader>,
    /// Longer intervals are not believed. 300 s by default.
    pub max_interval: Duration,
}

/// Envoy's `RetryPolicy.ResetHeader`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetHeader {
    /// In lower case.
    pub name: String,
    /// What its number means.
    pub format: ResetHeaderFormat,
}

/// Envoy's `RetryPolicy.ResetHeaderFormat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetHeaderFormat {
    /// Seconds to wait.
    Seconds,
    /// A moment, in seconds since 1970.
    UnixTimestamp,
}

/// The extensions that reject hosts for retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryHostPredicate {
    /// `envoy.retry_host_predicates.previous_hosts`: hosts tried before.
    PreviousHosts,
    /// `envoy.retry_host_predicates.omit_canary_hosts`: canaries.
    OmitCanaryHosts,
    /// `envoy.retry_host_predicates.omit_host_metadata`: hosts whose `envoy.lb` metadata has all of these values.
    OmitHostMetadata {
        /// The names in `envoy.lb`; without any, every host matches.
        names: Vec<String>,
        /// The serialized `envoy.config.core.v3.Metadata` that has the values.
        metadata: Bytes,
    },
}

/// The extensions that choose priorities for retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPriority {
    /// `envoy.retry_priorities.previous_priorities`.
    PreviousPriorities {
        /// Priorities are left out anew after so many attempts; at least 1.
        update_frequency: u32,
    },
}

/// Envoy's `envoy.config.route.v3.HedgePolicy`, as far as Envoy implements it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HedgePolicy {
    /// A request that runs into its per-try timeout goes on beside its retry, and the first good response wins.
    /// `x-envoy-hedge-on-per-try-timeout` replaces it.
    pub hedge_on_per_try_timeout: bool,
}

// === impl RetryOn ===

impl RetryOn {
    /// `5xx`: any 5xx, or no response at all.
    pub const SERVER_ERROR: Self = Self(1);
    /// `gateway-error`: 502, 503 or 504, or no response at all.
    pub const GATEWAY_ERROR: Self = Self(1 << 1);
    /// `connect-failure`: no connection.
    pub const CONNECT_FAILURE: Self = Self(1 << 2);
    /// `retriable-4xx`: 409.
    pub const RETRIABLE_4XX: Self = Self(1 << 3);
    /// `refused-stream`: HTTP/2's REFUSED_STREAM.
    pub const REFUSED_STREAM: Self = Self(1 << 4);
    /// `cancelled`: `grpc-status` 1 in the response headers.
    pub const GRPC_CANCELLED: Self = Self(1 << 5);
    /// `deadline-exceeded`: `grpc-status` 4.
    pub const GRPC_DEADLINE_EXCEEDED: Self = Self(1 << 6);
    /// `resource-exhausted`: `grpc-status` 8.
    pub const GRPC_RESOURCE_EXHAUSTED: Self = Self(1 << 7);
    /// `unavailable`: `grpc-status` 14.
    pub const GRPC_UNAVAILABLE: Self = Self(1 << 8);
    /// `internal`: `grpc-status` 13.
    pub const GRPC_INTERNAL: Self = Self(1 << 9);
    /// `retriable-status-codes`: [`RetryPolicy::retriable_status_codes`].
    pub const RETRIABLE_STATUS_CODES: Self = Self(1 << 10);
    /// `reset`: no response at all.
    pub const RESET: Self = Self(1 << 11);
    /// `retriable-headers`: a header of the response matches.
    pub const RETRIABLE_HEADERS: Self = Self(1 << 12);
    /// `envoy-ratelimited`: `x-envoy-ratelimited` in the response; without this condition, such a response ends the retries.
    pub const ENVOY_RATE_LIMITED: Self = Self(1 << 13);
    /// `http3-post-connect-failure`: there is no HTTP/3.
    pub const HTTP3_POST_CONNECT_FAILURE: Self = Self(1 << 14);
    /// `reset-before-request`: no response, and no byte of the request was sent.
    pub const RESET_BEFORE_REQUEST: Self = Self(1 << 15);

    const HTTP: &[(&str, Self)] = &[
        ("5xx", Self::SERVER_ERROR),
        ("gateway-error", Self::GATEWAY_ERROR),
        ("connect-failure", Self::CONNECT_FAILURE),
        ("envoy-ratelimited", Self::ENVOY_RATE_LIMITED),
        ("retriable-4xx", Self::RETRIABLE_4XX),
        ("refused-stream", Self::REFUSED_STREAM),
        ("retriable-status-codes", Self::RETRIABLE_STATUS_CODES),
        ("retriable-headers", Self::RETRIABLE_HEADERS),
        ("reset", Self::RESET),
        ("reset-before-request", Self::RESET_BEFORE_REQUEST),
        ("http3-post-connect-failure", Self::HTTP3_POST_CONNECT_FAILURE),
    ];

    const GRPC: &[(&str, Self)] = &[
        ("cancelled", Self::GRPC_CANCELLED),
        ("deadline-exceeded", Self::GRPC_DEADLINE_EXCEEDED),
        ("resource-exhausted", Self::GRPC_RESOURCE_EXHAUSTED),
        ("unavailable", Self::GRPC_UNAVAILABLE),
        ("internal", Self::GRPC_INTERNAL),
    ];

    /// Reads the comma-separated conditions of `x-envoy-retry-on`; also whether all of them are known. Unknown ones count
    /// for nothing.
    #[must_use]
    pub fn parse_http(text: &str) -> (Self, bool) {
        Self::parse(text, Self::HTTP)
    }

    /// The same of `x-envoy-retry-grpc-on`.
    #[must_use]
    pub fn parse_grpc(text: &str) -> (Self, bool) {
        Self::parse(text, Self::GRPC)
    }

    /// The conditions of `retry_on`, which may be of both kinds, and the first that is unknown.
    #[must_use]
    pub fn parse_policy(text: &str) -> (Self, Option<&str>) {
        let both = || Self::HTTP.iter().chain(Self::GRPC);
        let set = conditions(text).fold(Self::default(), |set, name| set | find(both(), name).unwrap_or_default());
        (set, conditions(text).find(|name| find(both(), name).is_none()))
    }

    fn parse(text: &str, known: &[(&str, Self)]) -> (Self, bool) {
        conditions(text).fold((Self::default(), true), |(set, all), name| match find(known.iter(), name) {
            Some(found) => (set | found, all),
            None => (set, false),
        })
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of `other` is in it.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for RetryOn {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

fn conditions(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

fn find<'a>(mut known: impl Iterator<Item = &'a (&'a str, RetryOn)>, name: &str) -> Option<RetryOn> {
    known.find(|(text, _)| *text == name).map(|(_, set)| *set)
}

// === impl RetryPolicy ===

impl RetryPolicy {
    /// One retry on these conditions, with Envoy's defaults.
    #[must_use]
    pub fn on(retry_on: RetryOn) -> Self {
        Self {
            retry_on,
            num_retries: 1,
            per_try_timeout: None,
            per_try_idle_timeout: None,
            retry_priority: None,
            host_predicates: Vec::new(),
            host_selection_max_attempts: 1,
            retriable_status_codes: Vec::new(),
            retriable_headers: Vec::new(),
            retriable_request_headers: Vec::new(),
            back_off: BackOff { base_interval: None, max_interval: None },
            rate_limited_back_off: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_in_envoy() {
        let both = RetryOn::SERVER_ERROR | RetryOn::RESET;
        assert_eq!(RetryOn::parse_http("5xx, reset,"), (both, true));
        assert_eq!(RetryOn::parse_http("5xx,unavailable,reset"), (both, false));
        assert_eq!(RetryOn::parse_http("5XX"), (RetryOn::default(), false));
        assert_eq!(RetryOn::parse_grpc("unavailable"), (RetryOn::GRPC_UNAVAILABLE, true));
        assert_eq!(RetryOn::parse_policy("5xx,unavailable"), (RetryOn::SERVER_ERROR | RetryOn::GRPC_UNAVAILABLE, None));
        assert_eq!(RetryOn::parse_policy("5xx,x,y"), (RetryOn::SERVER_ERROR, Some("x")));
        assert!(RetryOn::parse_policy("").0.is_empty());
    }
}
