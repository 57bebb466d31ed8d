//! `host` without its port or its last dot: Envoy's `maybeNormalizeHost`.

use sandgate_config::model::StripPort;
use sandgate_http::HeaderMap;

use super::RequestContext;

pub(super) fn normalize(headers: &mut HeaderMap, context: &RequestContext<'_>) {
    let Some(host) = headers.get(b":authority") else { return };
    let mut new = None;
    if context.config.strip_trailing_host_dot {
        new = without_dot(host);
    }
    let host = new.as_deref().unwrap_or(host);
    let bare = match context.config.strip_port {
        StripPort::None => None,
        StripPort::Any => split_port(host).map(|(bare, _)| bare),
        StripPort::Matching => {
            split_port(host).filter(|(_, port)| context.local_port.map(u32::from) == Some(*port)).map(|(bare, _)| bare)
        }
    };
    if let Some(host) = bare.map(<[u8]>::to_vec).or(new) {
        headers.set(b":authority", &host);
    }
}

/// Host and port, if there is one. Colons in brackets belong to an address.
fn split_port(host: &[u8]) -> Option<(&[u8], u32)> {
    let colon = host.iter().rposition(|byte| *byte == b':')?;
    if host.iter().rposition(|byte| *byte == b']').is_some_and(|bracket| bracket > colon) {
        return None;
    }
    let port = std::str::from_utf8(host.get(colon + 1..)?).ok()?.parse().ok()?;
    Some((host.get(..colon)?, port))
}

/// Without a dot at the end or before the port.
fn without_dot(host: &[u8]) -> Option<Vec<u8>> {
    let dot = host.iter().rposition(|byte| *byte == b'.')?;
    let rest = host.get(dot + 1..)?;
    (rest.is_empty() || rest.first() == Some(&b':')).then(|| [host.get(..dot).unwrap_or_default(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::{split_port, without_dot};

    #[test]
    fn ports_are_numbers_after_the_last_colon() {
        assert_eq!(split_port(b"a.b:80"), Some((&b"a.b"[..], 80)));
        assert_eq!(split_port(b"[::1]:80"), Some((&b"[::1]"[..], 80)));
        for host in ["a.b", "a.b:", "a.b:x", "[::1]"] {
            assert_eq!(split_port(host.as_bytes()), None, "{host}");
        }
    }

    #[test]
    fn the_last_dot_goes() {
        assert_eq!(without_dot(b"a.b.").as_deref(), Some(&b"a.b"[..]));
        assert_eq!(without_dot(b"a.b.:80").as_deref(), Some(&b"a.b:80"[..]));
        assert_eq!(without_dot(b"a.b:80"), None);
        assert_eq!(without_dot(b"a"), None);
    }
}
