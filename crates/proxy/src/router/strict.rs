//! `strict_check_headers`: headers that steer the router must make sense.

use sandgate_config::model::RetryOn;
use sandgate_http::HeaderMap;

use super::headers::parse_number;

/// The first of these headers whose value makes no sense.
pub(super) fn invalid_header<'h>(names: &'h [String], headers: &'h HeaderMap) -> Option<(&'h str, &'h [u8])> {
    names.iter().find_map(|name| {
        let value = headers.get(name.as_bytes())?;
        let valid = match name.as_str() {
            "x-envoy-retry-on" => is_list(value, RetryOn::parse_http),
            "x-envoy-retry-grpc-on" => is_list(value, RetryOn::parse_grpc),
            _ => parse_number(value).is_some(),
        };
        (!valid).then_some((name.as_str(), value))
    })
}

fn is_list(value: &[u8], parse: fn(&str) -> (RetryOn, bool)) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| parse(text).1)
}
