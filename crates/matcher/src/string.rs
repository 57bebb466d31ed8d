//! Text.

use sandgate_config::model::{self, StringPattern};

/// A compiled `envoy.type.matcher.v3.StringMatcher`.
#[derive(Clone, Debug)]
pub struct StringMatcher {
    pattern: StringPattern,
    ignore_case: bool,
}

// === impl StringMatcher ===

impl StringMatcher {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &model::StringMatcher) -> Self {
        let model::StringMatcher { pattern, ignore_case } = config.clone();
        Self { pattern, ignore_case }
    }

    /// Whether `text` is as wanted.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let same = |part: Option<&[u8]>, pattern: &str| match part {
            Some(part) if self.ignore_case => part.eq_ignore_ascii_case(pattern.as_bytes()),
            Some(part) => part == pattern.as_bytes(),
            None => false,
        };
        match &self.pattern {
            StringPattern::Exact(pattern) => same(Some(text), pattern),
            StringPattern::Prefix(pattern) => same(text.get(..pattern.len()), pattern),
            StringPattern::Suffix(pattern) => {
                same(text.len().checked_sub(pattern.len()).and_then(|start| text.get(start..)), pattern)
            }
            StringPattern::Contains(pattern) if pattern.is_empty() => true,
            StringPattern::Contains(pattern) => text.windows(pattern.len()).any(|part| same(Some(part), pattern)),
            StringPattern::Regex(regex) => regex.is_full_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_config::model::Regex;

    use super::*;

    #[test]
    fn each_pattern_looks_at_its_part() {
        let matches = |pattern: &StringPattern, ignore_case, text: &str| {
            StringMatcher::new(&model::StringMatcher { pattern: pattern.clone(), ignore_case }).matches(text.as_bytes())
        };
        let of = |text: &str| {
            [
                StringPattern::Exact(text.into()),
                StringPattern::Prefix(text.into()),
                StringPattern::Suffix(text.into()),
                StringPattern::Contains(text.into()),
                StringPattern::Regex(Regex::new(text).unwrap()),
            ]
        };
        for (text, wanted) in [
            ("ab", [true; 5]),
            ("abc", [false, true, false, true, false]),
            ("cab", [false, false, true, true, false]),
            ("xabx", [false, false, false, true, false]),
            ("a", [false; 5]),
            ("", [false; 5]),
            ("AB", [false; 5]),
        ] {
            assert_eq!(of("ab").map(|pattern| matches(&pattern, false, text)), wanted, "{text}");
        }
        let [exact, prefix, suffix, contains, _] = of("aB");
        assert!([exact, prefix, suffix, contains].iter().all(|pattern| matches(pattern, true, "Ab")));
    }
}
