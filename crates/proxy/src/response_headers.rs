//! What the connection manager does to response headers after all filters: Envoy's `encodeHeaders` and
//! `ConnectionManagerUtility::mutateResponseHeaders`, order included.

use std::time::SystemTime;

use sandgate_config::model::{HttpConnectionManager, ServerHeaderTransformation};
use sandgate_http::HeaderMap;
use sandgate_http::h1::is_upgrade;

use crate::date::DateCache;
use crate::request_headers::append_via;

/// Changes `headers` as Envoy does; `upgrade` is whether the request asked for another protocol. a `keep-alive` that filters have added stays. `request_id` is the request's, to be shown in the response if asked for.
pub(crate) fn mutate(
    headers: &mut HeaderMap,
    config: &HttpConnectionManager,
    request_id: Option<&[u8]>,
    (date, now): (&DateCache, SystemTime),
    upgrade: bool,
) {
    let mut has_date = false;
    let mut has_server = false;
    let mut hop_by_hop = false;
    for (name, _) in headers.iter() {
        match name {
            b"date" => has_date = true,
            b"server" => has_server = true,
            b"connection" | b"upgrade" | b"transfer-encoding" | b"proxy-connection" => hop_by_hop = true,
            _ => {}
        }
    }
    if !has_date {
        date.with(now, |date| headers.append(b"date", date));
    }
    match config.server_header_transformation {
        ServerHeaderTransformation::Overwrite if has_server => headers.set(b"server", config.server_name.as_bytes()),
        ServerHeaderTransformation::Overwrite | ServerHeaderTransformation::AppendIfAbsent if !has_server => {
            headers.append(b"server", config.server_name.as_bytes());
        }
        _ => {}
    }
    if hop_by_hop {
        if upgrade && is_upgrade(headers) {
            let unsaid = !headers.contains(b"transfer-encoding") && !headers.contains(b"content-length");
            if unsaid && !headers.get(b":status").is_some_and(|status| status.starts_with(b"1")) {
                headers.set(b"content-length", b"0");
            }
        } else {
            headers.remove(b"connection");
            headers.remove(b"upgrade");
        }
        headers.remove(b"transfer-encoding");
        headers.remove(b"proxy-connection");
    }
    if let Some(id) = request_id {
        headers.set(b"x-request-id", id);
    }
    append_via(headers, config);
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use sandgate_config::model::RouteConfiguration;
    use sandgate_http::HeaderMapKind;

    use super::*;

    fn mutated(transformation: ServerHeaderTransformation, lines: &[(&str, &str)]) -> Vec<String> {
        let mut config = HttpConnectionManager::new("in", RouteConfiguration::default(), Vec::new());
        config.server_header_transformation = transformation;
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Response);
        for (name, value) in lines {
            headers.append(name.as_bytes(), value.as_bytes());
        }
        mutate(&mut headers, &config, None, (&DateCache::default(), UNIX_EPOCH), false);
        let line = |(n, v): (&[u8], &[u8])| format!("{}: {}", String::from_utf8_lossy(n), String::from_utf8_lossy(v));
        headers.iter().map(line).collect()
    }

    #[test]
    fn date_and_server_are_added() {
        let lines = mutated(ServerHeaderTransformation::Overwrite, &[(":status", "200"), ("x", "1")]);
        assert_eq!(lines, [":status: 200", "x: 1", "date: Thu, 01 Jan 1970 00:00:00 GMT", "server: envoy"]);
    }

    #[test]
    fn server_is_overwritten_added_or_left() {
        use ServerHeaderTransformation::{AppendIfAbsent, Overwrite, PassThrough};
        let upstream = [("server", "foo"), ("date", "yesterday"), ("x", "1")];
        let with = |name: &str| vec![format!("server: {name}"), "date: yesterday".into(), "x: 1".into()];
        // In its place.
        assert_eq!(mutated(Overwrite, &upstream), with("envoy"));
        assert_eq!(mutated(AppendIfAbsent, &upstream), with("foo"));
        assert_eq!(mutated(PassThrough, &upstream), with("foo"));
        assert_eq!(mutated(PassThrough, &[("date", "d")]), ["date: d"]);
        assert_eq!(mutated(AppendIfAbsent, &[("date", "d")]), ["date: d", "server: envoy"]);
    }

    #[test]
    fn hop_by_hop_headers_end_here() {
        let lines = [
            ("date", "d"),
            ("connection", "x-h"),
            ("x-h", "1"),
            ("keep-alive", "3"),
            ("proxy-connection", "1"),
            ("te", "x"),
            ("upgrade", "a"),
            ("transfer-encoding", "chunked"),
        ];
        let left = mutated(ServerHeaderTransformation::PassThrough, &lines);
        assert_eq!(left, ["date: d", "x-h: 1", "keep-alive: 3", "te: x"]);
    }
}
