//! The times that the router keeps, and what it tells the upstream of them.

use std::time::Duration;

use sandgate_http::HeaderMap;

use super::headers::parse_number;
use super::upstream_request::PerTry;

/// Times of one request; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeouts {
    /// From the end of the request to the end of the response, over all attempts.
    pub(super) global: Option<Duration>,
    pub(super) per_try: PerTry,
}

impl Timeouts {
    /// What the route says and the request's headers change; these are removed.
    pub(super) fn take(mut self, headers: &mut HeaderMap, respect_expected: bool) -> Self {
        let number = |headers: &HeaderMap, name: &[u8]| headers.get(name).map(parse_number);
        let limit = |millis: u64| (millis > 0).then(|| Duration::from_millis(millis));
        let expected = if respect_expected { number(headers, b"x-envoy-expected-rq-timeout-ms") } else { None };
        let global = match expected {
            Some(expected) => expected,
            None => number(headers, b"x-envoy-upstream-rq-timeout-ms")
                .inspect(|_| _ = headers.remove(b"x-envoy-upstream-rq-timeout-ms"))
                .flatten(),
        };
        if let Some(millis) = global {
            self.global = limit(millis);
        }
        if let Some(millis) = number(headers, b"x-envoy-upstream-rq-per-try-timeout-ms") {
            headers.remove(b"x-envoy-upstream-rq-per-try-timeout-ms");
            if let Some(millis) = millis {
                self.per_try.timeout = limit(millis);
            }
        }
        self
    }

    /// The time of one attempt counts only below that of all.
    pub(super) fn checked(mut self) -> Self {
        if let (Some(global), Some(per_try)) = (self.global, self.per_try.timeout)
            && per_try >= global
        {
            self.per_try.timeout = None;
        }
        self
    }

    /// What the upstream is told to have, unless there is no limit. `elapsed` is what has gone by.
    pub(super) fn expected(&self, elapsed: Duration, hedging: bool) -> Option<Duration> {
        let mut expected = self.per_try.timeout.filter(|_| !hedging).or(self.global)?;
        if let Some(global) = self.global {
            // Zero would mean no limit.
            let left = global.saturating_sub(elapsed);
            expected = if left.is_zero() { Duration::from_millis(1) } else { expected.min(left) };
        }
        Some(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    fn timeouts(global: u64, per_try: u64) -> Timeouts {
        let limit = |value| millis(value).filter(|value| !value.is_zero());
        Timeouts { global: limit(global), per_try: PerTry { timeout: limit(per_try), ..PerTry::default() } }
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        lines.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value.as_bytes()));
        headers
    }

    #[test]
    fn headers_change_them() {
        let mut request = headers(&[
            ("x-envoy-upstream-rq-timeout-ms", "77"),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "5"),
            ("a", "b"),
        ]);
        assert_eq!(timeouts(15_000, 0).take(&mut request, false), timeouts(77, 5));
        assert_eq!(request.iter().count(), 1);
        let mut request = headers(&[("x-envoy-upstream-rq-timeout-ms", "0")]);
        assert_eq!(timeouts(15_000, 0).take(&mut request, false), timeouts(0, 0));
        let mut request = headers(&[("x-envoy-upstream-rq-timeout-ms", "x")]);
        assert_eq!(timeouts(15_000, 0).take(&mut request, false), timeouts(15_000, 0));
        let lines = [("x-envoy-upstream-rq-timeout-ms", "5"), ("x-envoy-expected-rq-timeout-ms", "9")];
        assert_eq!(timeouts(15_000, 0).take(&mut headers(&lines), true), timeouts(9, 0));
        assert_eq!(timeouts(15_000, 0).take(&mut headers(&lines), false), timeouts(5, 0));
    }

    #[test]
    fn an_attempt_has_less_time_than_all() {
        assert_eq!(timeouts(100, 100).checked(), timeouts(100, 0));
        assert_eq!(timeouts(0, 100).checked(), timeouts(0, 100));
    }

    #[test]
    fn the_upstream_is_told_what_is_left() {
        let told = |timeouts: Timeouts, elapsed, hedging| {
            timeouts.expected(Duration::from_millis(elapsed), hedging).map(|expected| expected.as_millis())
        };
        assert_eq!(told(timeouts(0, 0), 0, false), None);
        assert_eq!(told(timeouts(100, 0), 0, false), Some(100));
        assert_eq!(told(timeouts(100, 40), 0, false), Some(40));
        assert_eq!(told(timeouts(100, 40), 0, true), Some(100));
        assert_eq!(told(timeouts(100, 40), 70, false), Some(30));
        assert_eq!(told(timeouts(100, 0), 100, false), Some(1));
        assert_eq!(told(timeouts(0, 40), 70, false), Some(40));
    }
}
