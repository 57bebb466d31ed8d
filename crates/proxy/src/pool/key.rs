//! What connections of one host have in common, so that requests may share them.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use bytes::Bytes;
use sandgate_attributes::{LifeSpan, StateJson, StateValue};
use sandgate_config::model::{RoutingPriority, UpstreamHttpProtocol, UpstreamTlsNames};
use sandgate_filter::FilterState;
use sandgate_http::HeaderMap;

/// The filter state objects that say how a request's or connection's host is spoken to: Envoy's names.
const SNI_KEY: &[u8] = b"envoy.network.upstream_server_name";
const SANS_KEY: &[u8] = b"envoy.network.upstream_subject_alt_names";
const ALPN_KEY: &[u8] = b"envoy.network.application_protocols";
/// `name,address`: connections are made to that address instead of the host's.
const PROXY_KEY: &[u8] = b"envoy.network.transport_socket.http_11_proxy.info";

/// Names one of a host's pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolKey {
    pub(crate) priority: RoutingPriority,
    pub(crate) protocol: PoolProtocol,
    /// Of requests that bring their own; boxed, since few do.
    pub(crate) names: Option<Rc<TlsNames>>,
}

/// Names for TLS that come from a request or connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsNames {
    /// What is asked for; empty for nothing.
    pub(crate) sni: Option<String>,
    /// What the certificate must be for, one of them; none for whatever the configuration says.
    pub(crate) sans: Vec<String>,
    /// What is offered by ALPN; none for what the configuration says.
    pub(crate) alpn: Vec<String>,
    /// Where connections are made to, if not to the host.
    pub(crate) proxy: Option<SocketAddr>,
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
    /// Those that filters have set. They set requests apart where there is no TLS, too (as in Envoy).
    pub(crate) fn of(state: &FilterState) -> Option<Rc<Self>> {
        if state.is_empty() {
            return None;
        }
        let list = |key| state.get(key).map_or_else(Vec::new, |object| split(&text(&object)));
        let sni = state.get(SNI_KEY).map(|object| text(&object));
        let proxy = state.get(PROXY_KEY).and_then(|object| text(&object).split_once(',')?.1.parse().ok());
        let names = Self { sni, sans: list(SANS_KEY), alpn: list(ALPN_KEY), proxy };
        (names != Self::default()).then(|| Rc::new(names))
    }

    /// Sets what a request's headers say, unless a filter has: an address is not asked for by name. `host` is what the host header will be.
    pub(crate) fn set(config: &UpstreamTlsNames, headers: &HeaderMap, host: Option<&[u8]>, state: &mut FilterState) {
        let replacing = headers.get(config.override_auto_sni_header.as_bytes()).filter(|value| !value.is_empty());
        let authority = replacing.or(host).or_else(|| headers.get(b":authority")).unwrap_or_default();
        let Ok(authority) = std::str::from_utf8(authority) else { return };
        let host = host_of(authority);
        if host.is_empty() {
            return;
        }
        let mut set = |key| {
            if state.get(key).is_none() {
                let text = Bytes::copy_from_slice(host.as_bytes());
                let object = StateValue::Text { text, json: StateJson::None };
                // Nothing is in the way.
                let _ = state.set(key, object, true, LifeSpan::FilterChain);
            }
        };
        if config.auto_sni && host.parse::<IpAddr>().is_err() {
            set(SNI_KEY);
        }
        if config.auto_san_validation {
            set(SANS_KEY);
        }
    }
}

/// What an object is made of.
fn text(object: &StateValue) -> String {
    let bytes = match object {
        StateValue::Hidden(bytes) => bytes,
        other => return other.text().map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default(),
    };
    String::from_utf8_lossy(bytes).into_owned()
}

/// The elements of a list that is text.
fn split(list: &str) -> Vec<String> {
    list.split(',').filter(|element| !element.is_empty()).map(str::to_owned).collect()
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
            let mut state = FilterState::default();
            TlsNames::set(config, &headers, host, &mut state);
            TlsNames::of(&state).map(|names| (names.sni.clone(), names.sans.join("+")))
        };
        let some = |sni: &str, sans: &str| Some((Some(sni.to_owned()), sans.to_owned()));
        assert_eq!(names(&config(true, false, ""), None), some("a.example", ""));
        assert_eq!(names(&config(true, true, ""), Some(b"c.example")), some("c.example", "c.example"));
        assert_eq!(names(&config(true, true, "x-sni"), Some(b"c")), some("b.example", "b.example"));
        assert_eq!(names(&config(true, true, "x-ip"), None), Some((None, "2001:db8::1".to_owned())));
        assert_eq!(names(&config(true, false, "x-ip"), None), None);
        assert_eq!(names(&config(true, false, "x-empty"), None), some("a.example", ""));
        assert_eq!(names(&config(false, false, "x-sni"), None), None);
    }

    #[test]
    fn what_filters_have_set_stays() {
        let mut state = FilterState::default();
        let text =
            |text: &'static str| StateValue::Text { text: Bytes::from_static(text.as_bytes()), json: StateJson::None };
        assert!(state.set(SNI_KEY, text("x.example"), true, LifeSpan::Request).is_ok());
        assert!(state.set(SANS_KEY, text("y,,z"), true, LifeSpan::Connection).is_ok());
        assert!(
            state
                .set(ALPN_KEY, StateValue::Hidden(Bytes::from_static(b"h2,http/1.1")), true, LifeSpan::Request)
                .is_ok()
        );
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
        headers.append(b":authority", b"a.example");
        let config = UpstreamTlsNames { auto_sni: true, auto_san_validation: true, ..UpstreamTlsNames::default() };
        TlsNames::set(&config, &headers, None, &mut state);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let expected = TlsNames {
            sni: Some("x.example".to_owned()),
            sans: names(&["y", "z"]),
            alpn: names(&["h2", "http/1.1"]),
            proxy: None,
        };
        assert_eq!(TlsNames::of(&state).as_deref(), Some(&expected));
    }
}
