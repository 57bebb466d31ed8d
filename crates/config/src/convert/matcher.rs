//! Matchers.

use super::Context;
use crate::{
    model::{
        CookieMatcher, DoubleMatcher, HeaderMatchSpecifier, HeaderMatcher, MetadataMatcher,
        QueryParameterMatchSpecifier, QueryParameterMatcher, Regex, RegexRewrite, StringMatcher, StringPattern,
        ValueMatcher,
    },
    proto::envoy::{
        config::route::v3::{self as route, header_matcher, query_parameter_matcher},
        r#type::matcher::v3::{
            self as proto, double_matcher, list_matcher, metadata_matcher, string_matcher, value_matcher,
        },
    },
};

/// Converts a regular expression.
pub(super) fn regex(context: &mut Context<'_>, message: &proto::RegexMatcher) -> Option<Regex> {
    Regex::new(&message.regex).map_err(|error| context.error_at("regex", error.to_string())).ok()
}

/// Converts a regular expression and what takes the place of its matches.
pub(super) fn regex_rewrite(
    context: &mut Context<'_>,
    message: proto::RegexMatchAndSubstitute,
) -> Option<RegexRewrite> {
    let pattern = context.required("pattern", message.pattern)?;
    let pattern = context.field("pattern", |context| regex(context, &pattern))?;
    let rewrite = RegexRewrite::new(pattern, &message.substitution);
    if let Some(flaw) = rewrite.flaw() {
        context.warning_at("substitution", flaw.to_string());
    }
    Some(rewrite)
}

/// Converts a matcher of text.
pub(super) fn string(context: &mut Context<'_>, message: proto::StringMatcher) -> Option<StringMatcher> {
    use string_matcher::MatchPattern;
    let pattern = match context.required("a pattern", message.match_pattern)? {
        MatchPattern::Exact(text) => StringPattern::Exact(text),
        MatchPattern::Prefix(text) => StringPattern::Prefix(text),
        MatchPattern::Suffix(text) => StringPattern::Suffix(text),
        MatchPattern::Contains(text) => StringPattern::Contains(text),
        MatchPattern::SafeRegex(pattern) => {
            if message.ignore_case {
                context.error_at("ignore_case", "ignore_case has no effect for safe_regex");
            }
            StringPattern::Regex(context.field("safe_regex", |context| regex(context, &pattern))?)
        }
    };
    Some(StringMatcher { pattern, ignore_case: message.ignore_case })
}

/// Converts a matcher of a header.
pub(super) fn header(context: &mut Context<'_>, message: route::HeaderMatcher) -> Option<HeaderMatcher> {
    use header_matcher::HeaderMatchSpecifier as Specifier;
    let text = |pattern| Some(HeaderMatchSpecifier::String(StringMatcher::new(pattern)));
    let specifier = match message.header_match_specifier {
        None => Some(HeaderMatchSpecifier::Present(true)),
        Some(Specifier::PresentMatch(present)) => Some(HeaderMatchSpecifier::Present(present)),
        Some(Specifier::RangeMatch(range)) => Some(HeaderMatchSpecifier::Range { start: range.start, end: range.end }),
        Some(Specifier::StringMatch(matcher)) => {
            context.field("string_match", |context| string(context, matcher)).map(HeaderMatchSpecifier::String)
        }
        // The deprecated spellings. An empty exact match takes any value.
        Some(Specifier::ExactMatch(value)) if value.is_empty() => text(StringPattern::Prefix(value)),
        Some(Specifier::ExactMatch(value)) => text(StringPattern::Exact(value)),
        Some(Specifier::PrefixMatch(value)) => text(StringPattern::Prefix(value)),
        Some(Specifier::SuffixMatch(value)) => text(StringPattern::Suffix(value)),
        Some(Specifier::ContainsMatch(value)) => text(StringPattern::Contains(value)),
        Some(Specifier::SafeRegexMatch(pattern)) => {
            let regex = context.field("safe_regex_match", |context| regex(context, &pattern));
            regex.and_then(|regex| text(StringPattern::Regex(regex)))
        }
    };
    Some(HeaderMatcher {
        name: message.name.to_ascii_lowercase(),
        specifier: specifier?,
        invert: message.invert_match,
        treat_missing_as_empty: message.treat_missing_header_as_empty,
    })
}

/// Converts a list of matchers of headers.
pub(super) fn headers(
    context: &mut Context<'_>,
    field: &str,
    messages: Vec<route::HeaderMatcher>,
) -> Vec<HeaderMatcher> {
    context.list(field, messages, header)
}

/// Converts a matcher of a query parameter.
pub(super) fn query_parameter(
    context: &mut Context<'_>,
    message: route::QueryParameterMatcher,
) -> Option<QueryParameterMatcher> {
    use query_parameter_matcher::QueryParameterMatchSpecifier as Specifier;
    let specifier = match message.query_parameter_match_specifier {
        None => QueryParameterMatchSpecifier::Present(true),
        Some(Specifier::PresentMatch(present)) => QueryParameterMatchSpecifier::Present(present),
        Some(Specifier::StringMatch(matcher)) => {
            let matcher = context.field("string_match", |context| string(context, matcher));
            QueryParameterMatchSpecifier::String(matcher?)
        }
    };
    Some(QueryParameterMatcher { name: message.name, specifier })
}

/// Converts a matcher of a cookie.
pub(super) fn cookie(context: &mut Context<'_>, message: route::CookieMatcher) -> Option<CookieMatcher> {
    let value = context.required("string_match", message.string_match)?;
    let value = context.field("string_match", |context| string(context, value))?;
    Some(CookieMatcher { name: message.name, value, invert: message.invert_match })
}

/// Converts a matcher of metadata.
pub(super) fn metadata(context: &mut Context<'_>, message: proto::MetadataMatcher) -> Option<MetadataMatcher> {
    use metadata_matcher::path_segment::Segment;
    let path = context.list("path", message.path, |_, segment| {
        let Segment::Key(key) = segment.segment?;
        Some(key)
    });
    let matcher = context.required("value", message.value)?;
    let matcher = context.field("value", |context| value(context, matcher))?;
    Some(MetadataMatcher { filter: message.filter, path, value: matcher, invert: message.invert })
}

/// Converts a matcher of a value of metadata. The reader bounds how deep they nest.
fn value(context: &mut Context<'_>, message: proto::ValueMatcher) -> Option<ValueMatcher> {
    use value_matcher::MatchPattern;
    Some(match context.required("a pattern", message.match_pattern)? {
        MatchPattern::NullMatch(_) => ValueMatcher::Null,
        MatchPattern::DoubleMatch(matcher) => ValueMatcher::Double(double(matcher)?),
        MatchPattern::StringMatch(matcher) => {
            ValueMatcher::String(context.field("string_match", |context| string(context, matcher))?)
        }
        MatchPattern::BoolMatch(wanted) => ValueMatcher::Bool(wanted),
        MatchPattern::PresentMatch(wanted) => ValueMatcher::Present(wanted),
        MatchPattern::ListMatch(matcher) => {
            let list_matcher::MatchPattern::OneOf(matcher) = context.required("a pattern", matcher.match_pattern)?;
            let matcher = context.field("list_match.one_of", |context| value(context, *matcher))?;
            ValueMatcher::ListOneOf(Box::new(matcher))
        }
        MatchPattern::OrMatch(matcher) => {
            let matchers =
                context.field("or_match", |context| context.list("value_matchers", matcher.value_matchers, value));
            ValueMatcher::Or(matchers)
        }
    })
}

fn double(message: proto::DoubleMatcher) -> Option<DoubleMatcher> {
    Some(match message.match_pattern? {
        double_matcher::MatchPattern::Range(range) => DoubleMatcher::Range { start: range.start, end: range.end },
        double_matcher::MatchPattern::Exact(exact) => DoubleMatcher::Exact(exact),
    })
}
