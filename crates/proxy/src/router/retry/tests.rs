#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use sandgate_config::model::RetryPolicy;

use super::*;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    lines.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value.as_bytes()));
    headers
}

fn retry(lines: &[(&str, &str)]) -> Box<Retry> {
    Retry::new(None, RoutingPriority::Default, &headers(lines), &Arc::default()).unwrap()
}

fn on(conditions: &str) -> Box<Retry> {
    retry(&[("x-envoy-retry-on", conditions), ("x-envoy-retry-grpc-on", conditions)])
}

#[test]
fn responses_to_try_again_for() {
    let wants = |conditions: &str, status| on(conditions).wants_headers(status, &headers(&[]));
    assert!(wants("5xx", 500) && wants("5xx", 599) && !wants("5xx", 499));
    assert!(wants("gateway-error", 502) && wants("gateway-error", 504) && !wants("gateway-error", 500));
    assert!(wants("retriable-4xx", 409) && !wants("retriable-4xx", 408));
    assert!(!wants("reset,connect-failure,refused-stream,retriable-headers", 503));
    let wants = |lines: &[(&str, &str)], conditions: &str| on(conditions).wants_headers(200, &headers(lines));
    assert!(wants(&[("grpc-status", "14")], "unavailable") && !wants(&[("grpc-status", "13")], "unavailable"));
    assert!(wants(&[("x-envoy-ratelimited", "true")], "envoy-ratelimited"));
    assert!(wants(&[("x-envoy-ratelimited", "no")], "envoy-ratelimited"));
    assert!(!on("5xx").wants_headers(503, &headers(&[("x-envoy-ratelimited", "true")])));
    assert!(on("5xx,envoy-ratelimited").wants_headers(503, &headers(&[])));
}

#[test]
fn requests_name_codes_and_headers() {
    let retry = retry(&[
        ("x-envoy-retry-on", "retriable-status-codes,retriable-headers"),
        ("x-envoy-retriable-status-codes", "418, 429,x"),
        ("x-envoy-retriable-header-names", "X-Again, x-other"),
    ]);
    assert!(retry.wants_headers(429, &headers(&[])) && !retry.wants_headers(428, &headers(&[])));
    assert!(retry.wants_headers(200, &headers(&[("x-again", "")])));
}

#[test]
fn failures_to_try_again_for() {
    let refused = ResetReason::ConnectionFailure(String::new());
    let closed = ResetReason::ConnectionTermination;
    let wants = |conditions: &str, reason: &ResetReason, begun| on(conditions).wants_reset(reason, begun);
    assert!(wants("connect-failure", &refused, false) && !wants("connect-failure", &closed, false));
    assert!(wants("reset", &closed, true) && wants("5xx", &closed, true) && wants("gateway-error", &refused, false));
    assert!(wants("reset-before-request", &closed, false) && !wants("reset-before-request", &closed, true));
    assert!(!wants("retriable-4xx,refused-stream", &closed, true));
    assert!(wants("refused-stream", &ResetReason::RemoteRefusedStream, true));
    assert!(!wants("refused-stream", &ResetReason::RemoteReset, true));
    assert!(!wants("5xx,reset,connect-failure", &ResetReason::Overflow, false));
}

#[test]
fn without_a_condition_there_is_nothing() {
    assert!(
        Retry::new(None, RoutingPriority::Default, &headers(&[("x-envoy-max-retries", "3")]), &Arc::default())
            .is_none()
    );
    let policy = Rc::new(CompiledRetryPolicy::new(&RetryPolicy::on(RetryOn::SERVER_ERROR)));
    let retry =
        Retry::new(Some(&policy), RoutingPriority::Default, &headers(&[("x-envoy-max-retries", "3")]), &Arc::default())
            .unwrap();
    assert_eq!((retry.on, retry.remaining), (RetryOn::SERVER_ERROR, 3));
    // Unknown conditions allow none, nor does the header that counts them.
    assert_eq!(self::retry(&[("x-envoy-retry-on", "x"), ("x-envoy-max-retries", "3")]).remaining, 1);
}
