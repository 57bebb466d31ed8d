//! Matchers over strings, numbers, headers, query parameters, cookies and metadata. `sandgate-matcher` runs them.

use super::Regex;

/// Envoy's `envoy.type.matcher.v3.StringMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct StringMatcher {
    /// What the text has to be like.
    pub pattern: StringPattern,
    /// ASCII letters match in either case. False for a [`StringPattern::Regex`], whatever was configured.
    pub ignore_case: bool,
}

/// What a text has to be like.
#[derive(Clone, Debug, PartialEq)]
pub enum StringPattern {
    /// This.
    Exact(String),
    /// It begins with this.
    Prefix(String),
    /// It ends with this.
    Suffix(String),
    /// This is in it.
    Contains(String),
    /// All of it matches.
    Regex(Regex),
}

/// Envoy's `envoy.config.route.v3.HeaderMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderMatcher {
    /// In lower case. Not empty.
    pub name: String,
    /// What it has to be.
    pub specifier: HeaderMatchSpecifier,
    /// The opposite counts; a header that is missing still does not match, unless it is treated as empty.
    pub invert: bool,
    /// A missing header is one with an empty value.
    pub treat_missing_as_empty: bool,
}

/// What a header has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderMatchSpecifier {
    /// There, or not there.
    Present(bool),
    /// A whole number, `start` or more and less than `end`.
    Range {
        /// The least one.
        start: i64,
        /// One above the greatest.
        end: i64,
    },
    /// A text. Of several headers of the name one is enough (observed in Envoy 1.40).
    String(StringMatcher),
}

/// Envoy's `envoy.config.route.v3.QueryParameterMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryParameterMatcher {
    /// Compared as it stands in the path, without decoding.
    pub name: String,
    /// What it has to be.
    pub specifier: QueryParameterMatchSpecifier,
}

/// What a query parameter has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryParameterMatchSpecifier {
    /// There, or not there.
    Present(bool),
    /// The first one of the name has to be like this.
    String(StringMatcher),
}

/// Envoy's `envoy.config.route.v3.CookieMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct CookieMatcher {
    /// The cookie.
    pub name: String,
    /// What its value has to be like.
    pub value: StringMatcher,
    /// The opposite counts.
    pub invert: bool,
}

/// Envoy's `envoy.type.matcher.v3.MetadataMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataMatcher {
    /// The key of `filter_metadata`.
    pub filter: String,
    /// The keys of the structs on the way; at least one.
    pub path: Vec<String>,
    /// What is there has to be like this.
    pub value: ValueMatcher,
    /// The opposite counts.
    pub invert: bool,
}

/// Envoy's `envoy.type.matcher.v3.ValueMatcher`.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueMatcher {
    /// A null.
    Null,
    /// A number that matches.
    Double(DoubleMatcher),
    /// A text that matches.
    String(StringMatcher),
    /// This.
    Bool(bool),
    /// There is something. False never matches.
    Present(bool),
    /// A list, one of whose elements matches.
    ListOneOf(Box<ValueMatcher>),
    /// One of these matches; at least two.
    Or(Vec<ValueMatcher>),
}

/// Envoy's `envoy.type.matcher.v3.DoubleMatcher`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DoubleMatcher {
    /// `start` or more and less than `end`.
    Range {
        /// The least one.
        start: f64,
        /// Above all.
        end: f64,
    },
    /// This.
    Exact(f64),
}

// === impl StringMatcher ===

impl StringMatcher {
    /// Of a pattern, with regard to case.
    #[must_use]
    pub fn new(pattern: StringPattern) -> Self {
        Self { pattern, ignore_case: false }
    }
}
