//! The address that a response sends the client to.

use sandgate_config::model::{RedirectAction, RedirectPath};
use sandgate_formatter::FormatContext;
use sandgate_http::HeaderMap;

use super::rewrite::{render, replace_path};

/// The address that a redirect makes of a request's; without a redirect, the request's own. Nothing without a path.
pub(super) fn new_url(
    redirect: Option<&RedirectAction>,
    headers: &HeaderMap,
    context: &FormatContext<'_>,
) -> Option<Vec<u8>> {
    let request_path = headers.get(b":path")?;
    let request_scheme = headers.get(b":scheme").unwrap_or_default();
    let scheme = redirect.and_then(|redirect| redirect.scheme.as_deref()).map_or(request_scheme, str::as_bytes);
    let port = redirect.and_then(|redirect| redirect.port);
    let host = match redirect.and_then(|redirect| redirect.host.as_deref()) {
        Some(host) => host.as_bytes(),
        None => request_host(headers, scheme, port.is_some()),
    };
    let (query_comes_along, path) = match redirect.map(|redirect| &redirect.path) {
        Some(RedirectPath::Replace(path)) if path.contains('?') => (true, path.as_bytes().to_vec()),
        Some(RedirectPath::Replace(path)) => (false, [path.as_bytes(), query(request_path)].concat()),
        Some(RedirectPath::Format(format)) => {
            let path = replace_path(request_path, &render(format, context));
            (false, path.unwrap_or_else(|| request_path.to_vec()))
        }
        _ => (false, request_path.to_vec()),
    };
    let strip = redirect.is_some_and(|redirect| redirect.strip_query) && !query_comes_along;
    let path = if strip { path.split(|byte| *byte == b'?').next().unwrap_or_default() } else { &path };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
    Some([scheme, b"://", host, port.as_bytes(), slash, path].concat())
}

/// `?` and what follows it.
fn query(path: &[u8]) -> &[u8] {
    path.iter().position(|byte| *byte == b'?').and_then(|at| path.get(at..)).unwrap_or_default()
}

/// The request's host, without a port that is the old scheme's own, or that another one replaces.
fn request_host<'a>(headers: &'a HeaderMap, new_scheme: &[u8], new_port: bool) -> &'a [u8] {
    let host = headers.get(b":authority").unwrap_or_default();
    let end = if host.starts_with(b"[") {
        host.windows(2).rposition(|pair| pair == b"]:").map(|at| at + 1)
    } else {
        host.iter().rposition(|byte| *byte == b':')
    };
    let Some((name, port)) = end.and_then(|end| host.split_at_checked(end)) else { return host };
    let protocol = headers.get(b"x-forwarded-proto").unwrap_or_default();
    let own_port = (protocol.eq_ignore_ascii_case(b"https") && port == b":443")
        || (protocol.eq_ignore_ascii_case(b"http") && port == b":80");
    if new_port || (new_scheme != protocol && own_port) { name } else { host }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::time::{Instant, SystemTime};

    use sandgate_filter::{ConnectionInfo, StreamInfo};

    use super::*;

    fn redirect() -> RedirectAction {
        let path = RedirectPath::Keep;
        RedirectAction { scheme: None, host: None, port: None, path, status: 301, strip_query: false }
    }

    fn url(redirect: Option<&RedirectAction>, authority: &str, path: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.append(b":authority", authority.as_bytes());
        headers.append(b":path", path.as_bytes());
        headers.append(b":scheme", b"http");
        headers.append(b"x-forwarded-proto", b"http");
        let now = Instant::now();
        let info = StreamInfo::new(None, SystemTime::UNIX_EPOCH, now);
        let connection = ConnectionInfo::default();
        String::from_utf8(new_url(redirect, &headers, &FormatContext::new(&info, &connection, now)).unwrap()).unwrap()
    }

    #[test]
    fn without_a_redirect_it_is_the_own_address() {
        assert_eq!(url(None, "a.b:80", "/d?q=1"), "http://a.b:80/d?q=1");
        let mut headers = HeaderMap::new();
        headers.append(b":authority", b"a");
        let now = Instant::now();
        let info = StreamInfo::new(None, SystemTime::UNIX_EPOCH, now);
        let connection = ConnectionInfo::default();
        assert_eq!(new_url(None, &headers, &FormatContext::new(&info, &connection, now)), None);
    }

    #[test]
    fn the_port_of_the_old_scheme_goes() {
        let https = RedirectAction { scheme: Some("https".into()), ..redirect() };
        assert_eq!(url(Some(&https), "a.b:80", "/"), "https://a.b/");
        assert_eq!(url(Some(&https), "a.b:81", "/"), "https://a.b:81/");
        assert_eq!(url(Some(&https), "[::1]:80", "/"), "https://[::1]/");
        assert_eq!(url(Some(&https), "[::1]", "/"), "https://[::1]/");
        let port = RedirectAction { port: Some(8443), ..redirect() };
        assert_eq!(url(Some(&port), "a.b:81", "/"), "http://a.b:8443/");
    }

    #[test]
    fn a_query_stays_unless_another_one_comes() {
        let to = |path: &str, strip_query| RedirectAction {
            path: RedirectPath::Replace(path.into()),
            strip_query,
            ..redirect()
        };
        assert_eq!(url(Some(&to("/n", false)), "a", "/o?q"), "http://a/n?q");
        assert_eq!(url(Some(&to("/n?m", false)), "a", "/o?q"), "http://a/n?m");
        assert_eq!(url(Some(&to("/n", true)), "a", "/o?q"), "http://a/n");
        assert_eq!(url(Some(&to("/n?m", true)), "a", "/o?q"), "http://a/n?m");
        assert_eq!(url(Some(&to("n", true)), "a", "/o?q"), "http://a/n");
    }
}
