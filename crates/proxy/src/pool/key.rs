//! What connections of one host have in common, so that requests may share them.

use std::net::IpAddr;
use std::rc::Rc;

use sandgate_config::model::{RoutingPriority, UpstreamHttpProtocol, UpstreamTlsNames};
use sandgate_http::HeaderMap;

/// Names one of a host's pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolKey {
    pub(crate) priority: RoutingPriority,
    pub(crate) protocol: PoolProtocol,
    /// Of requests that bring their own; boxed, since few do.
    pub(crate) names: Option<Rc<TlsNames>>,
}

/// Names for TLS that come from a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsNames {
    /// What is asked for.
    pub(crate) sni: Option<String>,
    /// What the certificate must be for.
    pub(crate) san: Option<String>,
}

/// What the connections of a pool speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PoolProtocol {
    #[default]
    Http1,
    Http2,
    /// Nothing that is known here: each serves one tunnel.
    Tcp,
    /// What each host chooses by ALPN.
    Auto,
}

// === impl PoolProtocol ===

impl PoolProtocol {
    /// What a cluster speaks for a client that speaks `downstream`.
    pub(crate) fn of(configured: UpstreamHttpProtocol, downstream: Option<&str>) -> Self {
        match configured {
            UpstreamHttpProtocol::Http1 => Self::Http1,
            UpstreamHttpProtocol::Http2 => Self::Http2,
            UpstreamHttpProtocol::Downstream if downstream == Some("HTTP/2") => Self::Http2,
            UpstreamHttpProtocol::Downstream => Self::Http1,
            UpstreamHttpProtocol::Auto => Self::Auto,
        }
    }
}

// === impl TlsNames ===

impl TlsNames {
    /// Of a request whose host is `host`, if there are any: an address is not asked for by name.
    pub(crate) fn of(config: &UpstreamTlsNames, headers: &HeaderMap, host: Option<&[u8]>) -> Option<Rc<Self>> {
        let replacing = headers.get(config.override_auto_sni_header.as_bytes()).filter(|value| !value.is_empty());
        let authority = replacing.or(host).or_else(|| headers.get(b":authority")).unwrap_or_default();
        let host = host_of(std::str::from_utf8(authority).ok()?);
        if host.is_empty() {
            return None;
        }
        let names = Self {
            sni: (config.auto_sni && host.parse::<IpAddr>().is_err()).then(|| host.to_owned()),
            san: config.auto_san_validation.then(|| host.to_owned()),
        };
        (names != Self::default()).then(|| Rc::new(names))
    }
}

/// `host` of `host:port`, without the brackets of an address.
fn host_of(authority: &str) -> &str {
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use sandgate_http::HeaderMapKind;

    use super::*;

    #[test]
    fn names_come_from_the_host_or_from_the_header_instead() {
        let config = |auto_sni, auto_san_validation, header: &str| UpstreamTlsNames {
            auto_sni,
            auto_san_validation,
            override_auto_sni_header: header.to_owned(),
        };
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
        headers.append(b":authority", b"a.example:8443");
        headers.append(b"x-sni", b"b.example");
        headers.append(b"x-ip", b"[2001:db8::1]:443");
        headers.append(b"x-empty", b"");
        let names = |config: &UpstreamTlsNames, host: Option<&[u8]>| {
            TlsNames::of(config, &headers, host).map(|names| (names.sni.clone(), names.san.clone()))
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(names(&config(true, false, ""), None), Some((some("a.example"), None)));
        assert_eq!(names(&config(true, true, ""), Some(b"c.example")), Some((some("c.example"), some("c.example"))));
        assert_eq!(names(&config(true, true, "x-sni"), Some(b"c")), Some((some("b.example"), some("b.example"))));
        assert_eq!(names(&config(true, true, "x-ip"), None), Some((None, some("2001:db8::1"))));
        assert_eq!(names(&config(true, false, "x-ip"), None), None);
        assert_eq!(names(&config(true, false, "x-empty"), None), Some((some("a.example"), None)));
        assert_eq!(names(&config(false, false, "x-sni"), None), None);
    }
}
