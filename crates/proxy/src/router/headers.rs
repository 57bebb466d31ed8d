//! What the router does to headers.

use std::time::Duration;

use sandgate_http::HeaderMap;

/// Headers that steer retries: consumed here, whoever set them.
const RETRY_HEADERS: &[&[u8]] = &[
    b"x-envoy-retry-on",
    b"x-envoy-retry-grpc-on",
    b"x-envoy-max-retries",
    b"x-envoy-hedge-on-per-try-timeout",
    b"x-envoy-retriable-header-names",
    b"x-envoy-retriable-status-codes",
    b"x-envoy-upstream-rq-per-try-timeout-ms",
    b"x-envoy-upstream-rq-timeout-alt-response",
];

/// Makes request headers ready for the upstream: consumes what steers the router and adds
/// `x-envoy-expected-rq-timeout-ms`. Returns the timeout, which a header (a filter's, since a client may not set it) may
/// have changed.
pub(super) fn finish(headers: &mut HeaderMap, timeout: Option<Duration>, suppress: bool) -> Option<Duration> {
    let mut timeout = timeout;
    if headers.iter().any(|(name, _)| name.starts_with(b"x-envoy-")) {
        let millis = headers.get(b"x-envoy-upstream-rq-timeout-ms").map(parse_millis);
        if let Some(millis) = millis {
            if let Some(millis) = millis {
                timeout = (millis > 0).then(|| Duration::from_millis(millis));
            }
            headers.remove(b"x-envoy-upstream-rq-timeout-ms");
        }
        RETRY_HEADERS.iter().for_each(|name| _ = headers.remove(name));
    }
    if let Some(timeout) = timeout
        && !suppress
    {
        set_millis(headers, b"x-envoy-expected-rq-timeout-ms", timeout);
    }
    timeout
}

/// Sets `x-envoy-upstream-service-time`.
pub(super) fn set_service_time(headers: &mut HeaderMap, time: Duration) {
    set_millis(headers, b"x-envoy-upstream-service-time", time);
}

/// The address that the request asked for; nothing without a path.
pub(super) fn own_url(headers: &HeaderMap) -> Option<Vec<u8>> {
    let path = headers.get(b":path")?;
    let part = |name: &[u8]| headers.get(name).unwrap_or_default();
    Some([part(b":scheme"), b"://", part(b":authority"), path].concat())
}

fn parse_millis(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn set_millis(headers: &mut HeaderMap, name: &[u8], time: Duration) {
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

    fn finished(lines: &[(&str, &str)], timeout: u64) -> (Option<Duration>, Vec<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        let timeout = finish(&mut headers, (timeout > 0).then(|| Duration::from_millis(timeout)), false);
        let line = |(n, v): (&[u8], &[u8])| format!("{}: {}", String::from_utf8_lossy(n), String::from_utf8_lossy(v));
        (timeout, headers.iter().map(line).collect())
    }

    #[test]
    fn expected_timeout_is_told() {
        assert_eq!(
            finished(&[("a", "1")], 15_000),
            (Some(Duration::from_secs(15)), vec!["a: 1".into(), "x-envoy-expected-rq-timeout-ms: 15000".into()])
        );
        assert_eq!(finished(&[("a", "1")], 0), (None, vec!["a: 1".into()]));
    }

    #[test]
    fn own_url_needs_a_path() {
        let mut headers = HeaderMap::new();
        headers.append(b":authority", b"a.b:80");
        headers.append(b":scheme", b"http");
        assert_eq!(own_url(&headers), None);
        headers.append(b":path", b"/d?q=1");
        assert_eq!(own_url(&headers), Some(b"http://a.b:80/d?q=1".to_vec()));
    }

    #[test]
    fn a_header_changes_the_timeout() {
        let lines = [("x-envoy-upstream-rq-timeout-ms", "77"), ("x-envoy-retry-on", "5xx"), ("x-envoy-foo", "1")];
        assert_eq!(
            finished(&lines, 15_000),
            (
                Some(Duration::from_millis(77)),
                vec!["x-envoy-foo: 1".into(), "x-envoy-expected-rq-timeout-ms: 77".into()]
            )
        );
        assert_eq!(finished(&[("x-envoy-upstream-rq-timeout-ms", "0")], 15_000), (None, Vec::new()));
    }
}
