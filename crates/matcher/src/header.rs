//! Headers.

use sandgate_config::model::{self, HeaderMatchSpecifier};
use sandgate_http::HeaderMap;

use crate::StringMatcher;

/// A compiled `envoy.config.route.v3.HeaderMatcher`.
#[derive(Clone, Debug)]
pub struct HeaderMatcher {
    name: Box<[u8]>,
    specifier: Specifier,
    invert: bool,
    treat_missing_as_empty: bool,
}

#[derive(Clone, Debug)]
enum Specifier {
    Present(bool),
    Range { start: i64, end: i64 },
    String(StringMatcher),
}

/// Whether all of `matchers` match; none is a match.
#[must_use]
pub fn all_match(matchers: &[HeaderMatcher], headers: &HeaderMap) -> bool {
    matchers.iter().all(|matcher| matcher.matches(headers))
}

/// Whether any of `matchers` matches; none is no match.
#[must_use]
pub fn any_match(matchers: &[HeaderMatcher], headers: &HeaderMap) -> bool {
    matchers.iter().any(|matcher| matcher.matches(headers))
}

// === impl HeaderMatcher ===

impl HeaderMatcher {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &model::HeaderMatcher) -> Self {
        Self {
            name: config.name.as_bytes().into(),
            specifier: match &config.specifier {
                HeaderMatchSpecifier::Present(present) => Specifier::Present(*present),
                HeaderMatchSpecifier::Range { start, end } => Specifier::Range { start: *start, end: *end },
                HeaderMatchSpecifier::String(matcher) => Specifier::String(StringMatcher::new(matcher)),
            },
            invert: config.invert,
            treat_missing_as_empty: config.treat_missing_as_empty,
        }
    }

    /// Of a list of configurations.
    #[must_use]
    pub fn list(configs: &[model::HeaderMatcher]) -> Vec<Self> {
        configs.iter().map(Self::new).collect()
    }

    /// The header's name, in lower case.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether the headers are as wanted.
    #[must_use]
    pub fn matches(&self, headers: &HeaderMap) -> bool {
        if let Specifier::Present(present) = self.specifier {
            // What is treated as empty is there.
            let there = self.treat_missing_as_empty || headers.contains(&self.name);
            return (there == present) != self.invert;
        }
        let mut values = headers.get_all(&self.name).peekable();
        let matches = if values.peek().is_some() {
            values.any(|value| self.value_matches(value))
        } else if self.treat_missing_as_empty {
            self.value_matches(b"")
        } else {
            return false;
        };
        matches != self.invert
    }

    fn value_matches(&self, value: &[u8]) -> bool {
        match &self.specifier {
            Specifier::Present(present) => *present,
            Specifier::Range { start, end } => integer(value).is_some_and(|value| *start <= value && value < *end),
            Specifier::String(matcher) => matcher.matches(value),
        }
    }
}

/// A whole number as Envoy reads it: white space around it and a sign are fine.
fn integer(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).parse().ok()
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::StringPattern;

    use super::*;

    fn matcher(specifier: HeaderMatchSpecifier, invert: bool, treat_missing_as_empty: bool) -> HeaderMatcher {
        HeaderMatcher::new(&model::HeaderMatcher { name: "x".into(), specifier, invert, treat_missing_as_empty })
    }

    fn exact(value: &str) -> HeaderMatchSpecifier {
        HeaderMatchSpecifier::String(model::StringMatcher::new(StringPattern::Exact(value.into())))
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| headers.append(b"X", value.as_bytes()));
        headers
    }

    #[test]
    fn a_missing_header_matches_nothing_not_even_inverted() {
        assert!(!matcher(exact("a"), false, false).matches(&headers(&[])));
        assert!(!matcher(exact("a"), true, false).matches(&headers(&[])));
        assert!(matcher(exact("a"), true, true).matches(&headers(&[])));
        assert!(matcher(exact(""), false, true).matches(&headers(&[])));
        assert!(matcher(exact("a"), true, false).matches(&headers(&["b"])));
    }

    #[test]
    fn presence_may_be_wanted_or_not() {
        for (present, invert, wanted) in
            [(true, false, true), (true, true, false), (false, false, false), (false, true, true)]
        {
            let matcher = matcher(HeaderMatchSpecifier::Present(present), invert, false);
            assert_eq!(matcher.matches(&headers(&["v"])), wanted);
            assert_eq!(matcher.matches(&headers(&[])), !wanted);
        }
    }

    #[test]
    fn one_of_several_values_is_enough() {
        assert!(matcher(exact("2"), false, false).matches(&headers(&["1", "2"])));
        assert!(!matcher(exact("1,2"), false, false).matches(&headers(&["1", "2"])));
        assert!(!matcher(exact("2"), true, false).matches(&headers(&["1", "2"])));
        assert!(matcher(exact("3"), true, false).matches(&headers(&["1", "2"])));
    }

    #[test]
    fn ranges_are_half_open() {
        let range = matcher(HeaderMatchSpecifier::Range { start: -1, end: 5 }, false, false);
        for (value, wanted) in [
            ("-1", true),
            ("4", true),
            (" 4 ", true),
            ("+4", true),
            ("5", false),
            ("-2", false),
            ("4x", false),
            ("", false),
        ] {
            assert_eq!(range.matches(&headers(&[value])), wanted, "{value}");
        }
    }

    #[test]
    fn lists_need_all_or_any() {
        let two = [matcher(exact("a"), false, false), matcher(exact("b"), false, false)];
        assert!(any_match(&two, &headers(&["b"])));
        assert!(!all_match(&two, &headers(&["b"])));
        assert!(all_match(&[], &headers(&[])));
        assert!(!any_match(&[], &headers(&[])));
    }
}
