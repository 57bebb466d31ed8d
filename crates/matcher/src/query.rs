//! Query parameters.

use sandgate_config::model::{self, QueryParameterMatchSpecifier};

use crate::StringMatcher;

/// A compiled `envoy.config.route.v3.QueryParameterMatcher`.
#[derive(Clone, Debug)]
pub struct QueryParameterMatcher {
    name: Box<[u8]>,
    specifier: Specifier,
}

#[derive(Clone, Debug)]
enum Specifier {
    Present(bool),
    String(StringMatcher),
}

/// The parameters of a path in order, neither name nor value decoded; one without `=` has an empty value.
pub fn parameters(path: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let query = path.iter().position(|byte| *byte == b'?').and_then(|at| path.get(at + 1..)).unwrap_or_default();
    // A fragment is no part of the query.
    let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
    let query = if query.is_empty() { None } else { Some(query) };
    query.into_iter().flat_map(|query| query.split(|byte| *byte == b'&')).map(|parameter| {
        match parameter.iter().position(|byte| *byte == b'=') {
            Some(at) => (parameter.get(..at).unwrap_or_default(), parameter.get(at + 1..).unwrap_or_default()),
            None => (parameter, &b""[..]),
        }
    })
}

// === impl QueryParameterMatcher ===

impl QueryParameterMatcher {
    /// Of a configuration.
    #[must_use]
    pub fn new(config: &model::QueryParameterMatcher) -> Self {
        Self {
            name: config.name.as_bytes().into(),
            specifier: match &config.specifier {
                QueryParameterMatchSpecifier::Present(present) => Specifier::Present(*present),
                QueryParameterMatchSpecifier::String(matcher) => Specifier::String(StringMatcher::new(matcher)),
            },
        }
    }

    /// Whether the parameters of `path` are as wanted. The first one of the name counts.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let value = parameters(path).find(|(name, _)| *name == &*self.name).map(|(_, value)| value);
        match (&self.specifier, value) {
            (Specifier::Present(present), value) => value.is_some() == *present,
            (Specifier::String(matcher), Some(value)) => matcher.matches(value),
            (Specifier::String(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::StringPattern;

    use super::*;

    #[test]
    fn parameters_are_taken_as_they_stand() {
        let all = |path: &str| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            parameters(path.as_bytes())
                .map(|(name, value)| format!("{}>{}", text(name), text(value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(all("/a?b=1&c&d=%20=e#f=1"), ["b>1", "c>", "d>%20=e"]);
        assert!(all("/a").is_empty());
        assert!(all("/a?").is_empty());
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let exact = |value: &str| {
            let value = model::StringMatcher::new(StringPattern::Exact(value.into()));
            let specifier = QueryParameterMatchSpecifier::String(value);
            QueryParameterMatcher::new(&model::QueryParameterMatcher { name: "a".into(), specifier })
        };
        assert!(exact("1").matches(b"/?b=2&a=1&a=2"));
        assert!(!exact("2").matches(b"/?b=2&a=1&a=2"));
        assert!(!exact("").matches(b"/"));
        assert!(exact("").matches(b"/?a"));
    }
}
