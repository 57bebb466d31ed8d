//! What a route makes of path and host.

use sandgate_config::model::{HostRewrite, PathMatcher, PathRewrite, RedirectPath, RegexRewrite};
use sandgate_formatter::{Format, FormatContext};
use sandgate_http::{Direction, HeaderMap};

use super::header_mutator::with_headers;

/// How a route changes the requests that it forwards.
#[derive(Debug)]
pub(super) struct Rewrite {
    pub(super) path: PathRewrite,
    pub(super) host: HostRewrite,
    /// The rewritten host is kept in `x-forwarded-host`.
    pub(super) append_x_forwarded_host: bool,
    /// What the route matches, for the prefix in it.
    pub(super) matched: PathMatcher,
}

// === impl Rewrite ===

impl Rewrite {
    /// What the host becomes, if it is known before the upstream host is, and not empty.
    pub(super) fn new_host(&self, headers: &HeaderMap, base: FormatContext<'_>) -> Option<Vec<u8>> {
        let host = match &self.host {
            HostRewrite::Keep | HostRewrite::Auto => None,
            HostRewrite::Literal(host) => Some(host.as_bytes().to_vec()),
            HostRewrite::Header(name) => headers.get(name.as_bytes()).map(<[u8]>::to_vec),
            HostRewrite::PathRegex(rewrite) => {
                let path = headers.get(b":path").unwrap_or_default();
                Some(rewrite.replace_all(without_query(path)))
            }
            HostRewrite::Format(format) => Some(render(format, &with_headers(base, headers, Direction::Request))),
        };
        host.filter(|host| !host.is_empty())
    }

    /// Changes host and then path; with `keep_original`, what they were stays in `x-envoy-original-…`.
    pub(super) fn apply(&self, headers: &mut HeaderMap, keep_original: bool, base: FormatContext<'_>) {
        if let Some(host) = self.new_host(headers, base) {
            set_host(headers, &host, self.append_x_forwarded_host, keep_original);
        }
        let Some(path) = headers.get(b":path") else { return };
        let new = match &self.path {
            PathRewrite::Keep => None,
            PathRewrite::Prefix(prefix) => replace_prefix(path, matched_length(&self.matched, path), prefix),
            PathRewrite::Regex(rewrite) => replace_regex(path, rewrite),
            PathRewrite::Format(format) => {
                replace_path(path, &render(format, &with_headers(base, headers, Direction::Request)))
            }
        };
        set_path(headers, new, keep_original);
    }
}

/// Sets `host`; what it was goes to `x-forwarded-host` if asked for.
pub(super) fn set_host(headers: &mut HeaderMap, host: &[u8], append_x_forwarded_host: bool, keep_original: bool) {
    let old = headers.get(b":authority").unwrap_or_default().to_vec();
    if keep_original && !old.is_empty() {
        headers.set(b"x-envoy-original-host", &old);
    }
    if append_x_forwarded_host && !old.is_empty() {
        let mut forwarded = headers.get(b"x-forwarded-host").unwrap_or_default().to_vec();
        let last = forwarded.rsplit(|byte| *byte == b',').find(|item| !item.is_empty());
        // A list of nothing but commas stays as it is (observed in Envoy 1.40).
        if forwarded.is_empty() || last.is_some_and(|last| last != old) {
            if !forwarded.is_empty() {
                forwarded.push(b',');
            }
            forwarded.extend_from_slice(&old);
            headers.set(b"x-forwarded-host", &forwarded);
        }
    }
    headers.set(b":authority", host);
}

/// Does to the path what a redirect says of prefixes and expressions; the rest is for the address.
pub(super) fn apply_redirect(
    redirect: &RedirectPath,
    matched: &PathMatcher,
    headers: &mut HeaderMap,
    keep_original: bool,
) {
    let Some(path) = headers.get(b":path") else { return };
    let new = match redirect {
        RedirectPath::Prefix(prefix) => replace_prefix(path, matched_length(matched, path), prefix),
        RedirectPath::Regex(rewrite) => replace_regex(path, rewrite),
        RedirectPath::Keep | RedirectPath::Replace(_) | RedirectPath::Format(_) => None,
    };
    set_path(headers, new, keep_original);
}

/// All before `?` or `#`.
pub(super) fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

pub(super) fn render(format: &Format, context: &FormatContext<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    format.render(context, &mut out);
    out
}

/// Puts `new` in the place of all before the query; nothing if `new` is empty.
pub(super) fn replace_path(path: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let rest = path.get(without_query(path).len()..).unwrap_or_default();
    (!new.is_empty()).then(|| [new, rest].concat())
}

fn set_path(headers: &mut HeaderMap, new: Option<Vec<u8>>, keep_original: bool) {
    let Some(new) = new.filter(|new| !new.is_empty()) else { return };
    if keep_original {
        let old = headers.get(b":path").unwrap_or_default().to_vec();
        headers.set(b"x-envoy-original-path", &old);
    }
    headers.set(b":path", &new);
}

fn replace_prefix(path: &[u8], length: usize, prefix: &str) -> Option<Vec<u8>> {
    // A filter may have changed the path without asking for another route.
    Some([prefix.as_bytes(), path.get(length..)?].concat())
}

fn replace_regex(path: &[u8], rewrite: &RegexRewrite) -> Option<Vec<u8>> {
    replace_path(path, &rewrite.replace_all(without_query(path)))
}

/// How much of the path a route has matched: of an expression, all before the query.
fn matched_length(matched: &PathMatcher, path: &[u8]) -> usize {
    match matched {
        PathMatcher::Prefix(text) | PathMatcher::Path(text) | PathMatcher::PathSeparatedPrefix(text) => text.len(),
        PathMatcher::Regex(_) | PathMatcher::Connect => without_query(path).len(),
    }
}
