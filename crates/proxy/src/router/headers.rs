//! What the router does to headers.

use std::time::Duration;

use sandgate_http::HeaderMap;

/// Headers that steer the router: consumed here, whoever set them.
const CONSUMED: &[&[u8]] = &[
    b"x-envoy-retry-on",
    b"x-envoy-retry-grpc-on",
    b"x-envoy-max-retries",
    b"x-envoy-hedge-on-per-try-timeout",
    b"x-envoy-retriable-header-names",
    b"x-envoy-retriable-status-codes",
    b"x-envoy-upstream-rq-per-try-timeout-ms",
    b"x-envoy-upstream-rq-timeout-alt-response",
    b"x-envoy-upstream-stream-duration-ms",
];

/// Whether any header could steer the router: clients may not set one, so most requests have none.
pub(super) fn may_steer(headers: &HeaderMap) -> bool {
    headers.iter().any(|(name, _)| name.starts_with(b"x-envoy-"))
}

/// Removes what steers the router.
pub(super) fn consume(headers: &mut HeaderMap) {
    CONSUMED.iter().for_each(|name| _ = headers.remove(name));
}

/// Sets `x-envoy-upstream-service-time`.
pub(super) fn set_service_time(headers: &mut HeaderMap, time: Duration) {
    set_millis(headers, b"x-envoy-upstream-service-time", time);
}

/// A number as Envoy reads it from a header: blanks around it do not matter.
pub(super) fn parse_number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

pub(super) fn set_millis(headers: &mut HeaderMap, name: &[u8], time: Duration) {
    let millis = time.as_millis();
    let mut digits = [0; 20];
    let mut rest = u64::try_from(millis).unwrap_or(u64::MAX);
    let mut start = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        // Below ten by the remainder.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        start = index;
        if rest == 0 {
            break;
        }
    }
    headers.set(name, digits.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_envoy() {
        assert_eq!((parse_number(b" 77 "), parse_number(b"+7"), parse_number(b"-7")), (Some(77), Some(7), None));
        assert_eq!((parse_number(b""), parse_number(b"1 2")), (None, None));
    }

    #[test]
    fn what_steers_the_router_goes_no_further() {
        let mut headers = HeaderMap::new();
        headers.append(b"x-envoy-retry-on", b"5xx");
        headers.append(b"x-envoy-foo", b"1");
        assert!(may_steer(&headers));
        consume(&mut headers);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [(&b"x-envoy-foo"[..], &b"1"[..])]);
    }
}
