//! Changes of headers before all others: Envoy's `envoy.http.early_header_mutation.header_mutation`.

use std::time::{Instant, SystemTime};

use sandgate_config::model::{HeaderAppendAction, HeaderMutation};
use sandgate_filter::{ConnectionInfo, StreamInfo};
use sandgate_formatter::FormatContext;
use sandgate_http::HeaderMap;
use sandgate_matcher::StringMatcher;

/// Makes the changes in order, each of which sees what the ones before it have done.
pub(crate) fn mutate(
    headers: &mut HeaderMap,
    mutations: &[HeaderMutation],
    connection: &ConnectionInfo,
    protocol: &'static str,
    (time, now): (SystemTime, Instant),
) {
    let info = StreamInfo::new(Some(protocol), time, now);
    for mutation in mutations {
        match mutation {
            HeaderMutation::Remove(name) => _ = headers.remove(name.as_bytes()),
            HeaderMutation::RemoveOnMatch(matcher) => {
                let matcher = StringMatcher::new(matcher);
                headers.retain(|name, _| name.starts_with(b":") || !matcher.matches(name));
            }
            HeaderMutation::Append(option) => {
                let context = FormatContext::new(&info, connection, now);
                let mut value = Vec::new();
                option.value.render(&FormatContext { request_headers: Some(headers), ..context }, &mut value);
                if value.is_empty() && !option.keep_empty_value {
                    continue;
                }
                let name = option.name.as_bytes();
                match (option.action, headers.contains(name)) {
                    (HeaderAppendAction::AddIfAbsent, true) | (HeaderAppendAction::OverwriteIfExists, false) => {}
                    (HeaderAppendAction::AppendIfExistsOrAdd | HeaderAppendAction::AddIfAbsent, _) => {
                        headers.add(name, &value);
                    }
                    (HeaderAppendAction::OverwriteIfExistsOrAdd | HeaderAppendAction::OverwriteIfExists, _) => {
                        headers.replace(name, &value);
                    }
                }
            }
        }
    }
}
