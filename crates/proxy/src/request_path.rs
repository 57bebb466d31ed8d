//! The path of a request before anything looks at it: Envoy's `maybeNormalizePath`.

mod canonical;

use sandgate_config::model::{EscapedSlashesAction, PathOptions};
use sandgate_http::HeaderMap;

/// What is to happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathOutcome {
    /// It goes on.
    Continue,
    /// It is answered with 400.
    Reject,
    /// The client is sent to the path as it now is.
    Redirect,
}

/// Changes the path as the options want.
pub(crate) fn normalize(headers: &mut HeaderMap, options: &PathOptions) -> PathOutcome {
    let mut outcome = PathOutcome::Continue;
    if options.escaped_slashes != EscapedSlashesAction::KeepUnchanged
        && let Some(path) = headers.get(b":path").and_then(|path| change(path, unescape_slashes))
    {
        match options.escaped_slashes {
            EscapedSlashesAction::RejectRequest => return PathOutcome::Reject,
            EscapedSlashesAction::UnescapeAndRedirect => outcome = PathOutcome::Redirect,
            EscapedSlashesAction::UnescapeAndForward | EscapedSlashesAction::KeepUnchanged => {}
        }
        headers.set(b":path", &path);
    }
    if options.normalize
        && let Some(path) = headers.get(b":path")
    {
        let (path, query) = split(path);
        let Some(canonical) = canonical::canonicalize(path) else { return PathOutcome::Reject };
        if canonical != path {
            let path = [canonical.as_slice(), query].concat();
            headers.set(b":path", &path);
        }
    }
    if options.merge_slashes
        && let Some(path) = headers.get(b":path").and_then(|path| change(path, merge_slashes))
    {
        headers.set(b":path", &path);
    }
    outcome
}

/// Applies `step` to all before the query.
fn change(path: &[u8], step: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let (path, query) = split(path);
    let mut path = step(path)?;
    path.extend_from_slice(query);
    Some(path)
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().position(|byte| *byte == b'?').unwrap_or(path.len()))
}

/// `%2F` and `%5C` as what they mean; nothing if there are none.
fn unescape_slashes(path: &[u8]) -> Option<Vec<u8>> {
    let escaped = |part: &[u8]| match part {
        [b'%', b'2', b'f' | b'F', ..] => Some(b'/'),
        [b'%', b'5', b'c' | b'C', ..] => Some(b'\\'),
        _ => None,
    };
    let mut out = Vec::new();
    let mut rest = path;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(byte) = escaped(rest) {
            out.push(byte);
            rest = rest.get(3..).unwrap_or_default();
        } else {
            out.push(first);
            rest = after;
        }
    }
    (out.len() < path.len()).then_some(out)
}

/// One slash instead of several; nothing if there are no such places.
fn merge_slashes(path: &[u8]) -> Option<Vec<u8>> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return None;
    }
    let segments: Vec<_> = path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()).collect();
    let mut out = Vec::with_capacity(path.len());
    if path.first() == Some(&b'/') {
        out.push(b'/');
    }
    out.extend_from_slice(&segments.join(&b'/'));
    if path.last() == Some(&b'/') {
        out.push(b'/');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(options: &PathOptions, path: &str) -> (PathOutcome, String) {
        let mut headers = HeaderMap::new();
        headers.append(b":path", path.as_bytes());
        let outcome = normalize(&mut headers, options);
        (outcome, String::from_utf8_lossy(headers.get(b":path").unwrap_or_default()).into_owned())
    }

    #[test]
    fn slashes_are_merged_before_the_query() {
        let options = PathOptions { merge_slashes: true, ..PathOptions::default() };
        for (path, merged) in [("/a//b", "/a/b"), ("//a///b//?c//d", "/a/b/?c//d"), ("/a/b", "/a/b")] {
            assert_eq!(normalized(&options, path), (PathOutcome::Continue, merged.to_owned()));
        }
    }

    #[test]
    fn escaped_slashes_do_what_is_wanted() {
        for (action, path, outcome, wanted) in [
            (EscapedSlashesAction::KeepUnchanged, "/a%2Fb", PathOutcome::Continue, "/a%2Fb"),
            (EscapedSlashesAction::UnescapeAndForward, "/a%2fb%5Cc?%2F", PathOutcome::Continue, "/a/b\\c?%2F"),
            (EscapedSlashesAction::UnescapeAndRedirect, "/a%2Fb", PathOutcome::Redirect, "/a/b"),
            (EscapedSlashesAction::UnescapeAndRedirect, "/a%2b", PathOutcome::Continue, "/a%2b"),
            (EscapedSlashesAction::RejectRequest, "/a%5cb", PathOutcome::Reject, "/a%5cb"),
        ] {
            let options = PathOptions { escaped_slashes: action, ..PathOptions::default() };
            assert_eq!(normalized(&options, path), (outcome, wanted.to_owned()), "{action:?} {path}");
        }
    }
}
