//! Cookies.

use sandgate_config::model;
use sandgate_http::HeaderMap;

use crate::StringMatcher;

/// A compiled `envoy.config.route.v3.CookieMatcher`.
#[derive(Clone, Debug)]
pub struct CookieMatcher {
    name: Box<[u8]>,
    value: StringMatcher,
    invert: bool,
}

// === impl CookieMatcher ===

impl CookieMatcher {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &model::CookieMatcher) -> Self {
        Self { name: config.name.as_bytes().into(), value: StringMatcher::new(&config.value), invert: config.invert }
    }

    /// Whether the cookies of a request are as wanted. The first one of the name counts; without one there is no match,
    /// unless that is inverted.
    #[must_use]
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        let value = cookies(headers).find(|(name, _)| *name == &*self.name).map(|(_, value)| value);
        value.is_some_and(|value| self.value.matches(value)) != self.invert
    }
}

/// Names and values, quotes around a value taken away.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.get_all(b"cookie").flat_map(|header| header.split(|byte| *byte == b';')).filter_map(|cookie| {
        let cookie = cookie.trim_ascii();
        let at = cookie.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (cookie.get(..at)?, cookie.get(at + 1..)?);
        let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some((name, bare.unwrap_or(value)))
    })
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::StringPattern;

    use super::*;

    #[test]
    fn cookies_match_by_name_and_value() {
        let matcher = |invert| {
            let value = model::StringMatcher::new(StringPattern::Exact("1".into()));
            CookieMatcher::new(&model::CookieMatcher { name: "a".into(), value, invert })
        };
        for (header, wanted) in
            [("a=1", true), ("b=2; a=1", true), ("a=\"1\"", true), ("a=2; a=1", false), ("b=1", false)]
        {
            let mut headers = HeaderMap::new();
            headers.append(b"cookie", header.as_bytes());
            assert_eq!(matcher(false).matches(&headers), wanted, "{header}");
            assert_eq!(matcher(true).matches(&headers), !wanted, "{header}");
        }
        assert!(!matcher(false).matches(&HeaderMap::new()));
    }
}
