//! Requests that become something else than HTTP once their headers are answered.

use sandgate_config::model::ConnectConfig;
use sandgate_http::HeaderMap;
use sandgate_http::h1::is_upgrade;

use crate::upgrade::{is_connect, is_websocket};

/// What a request becomes. Nothing of what follows its headers is sent before the host agrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tunnel {
    /// It stays HTTP.
    #[default]
    No,
    /// A WebSocket. A host that does not agree has to refuse.
    WebSocket,
    /// Another protocol.
    Upgrade,
    /// CONNECT, forwarded.
    Connect,
    /// CONNECT (or POST) that ends here: the host sees only what follows.
    Tcp,
}

// === impl Tunnel ===

impl Tunnel {
    /// What a request becomes that was granted its wish; `connect` is what the route says of CONNECT.
    pub(super) fn of(headers: &HeaderMap, connect: Option<ConnectConfig>) -> Self {
        match connect {
            Some(_) if is_connect(headers) => Self::Tcp,
            Some(config) if config.allow_post && headers.get(b":method") == Some(b"POST") => Self::Tcp,
            _ if is_connect(headers) => Self::Connect,
            _ if is_websocket(headers) => Self::WebSocket,
            _ if is_upgrade(headers) => Self::Upgrade,
            _ => Self::No,
        }
    }

    /// Whether a response with this status over HTTP/1 (or else HTTP/2) means that the host agrees.
    pub(super) fn agrees(self, status: u16, http1: bool) -> bool {
        let success = (200..300).contains(&status);
        match self {
            Self::No => true,
            Self::WebSocket => status == 101 || !http1,
            Self::Upgrade => status == 101 || !http1 && success,
            Self::Connect | Self::Tcp => success,
        }
    }

    /// Whether the request is written as one that asks for another protocol.
    pub(super) fn is_upgrade(self) -> bool {
        matches!(self, Self::WebSocket | Self::Upgrade)
    }
}

#[cfg(test)]
mod tests {
    use sandgate_http::HeaderMapKind;

    use super::*;

    fn of(fields: &[(&str, &str)], connect: Option<ConnectConfig>) -> Tunnel {
        let mut headers = HeaderMap::with_kind(HeaderMapKind::Request);
        fields.iter().for_each(|(name, value)| headers.append(name.as_bytes(), value.as_bytes()));
        Tunnel::of(&headers, connect)
    }

    #[test]
    fn what_requests_become() {
        let (here, post) = (Some(ConnectConfig::default()), Some(ConnectConfig { allow_post: true }));
        assert_eq!(of(&[(":method", "CONNECT")], None), Tunnel::Connect);
        assert_eq!(of(&[(":method", "CONNECT")], here), Tunnel::Tcp);
        assert_eq!(of(&[(":method", "POST")], here), Tunnel::No);
        assert_eq!(of(&[(":method", "POST")], post), Tunnel::Tcp);
        let asks = |name| of(&[(":method", "GET"), ("upgrade", name), ("connection", "keep-alive, Upgrade")], None);
        assert_eq!((asks("WebSocket"), asks("foo")), (Tunnel::WebSocket, Tunnel::Upgrade));
        // A filter may have taken it away.
        assert_eq!(of(&[(":method", "GET"), ("upgrade", "websocket")], None), Tunnel::No);
    }

    #[test]
    fn which_answers_agree() {
        let over_http1 = |tunnel: Tunnel| [101, 200, 404].map(|status| tunnel.agrees(status, true));
        let over_http2 = |tunnel: Tunnel| [101, 200, 404].map(|status| tunnel.agrees(status, false));
        assert_eq!(over_http1(Tunnel::WebSocket), [true, false, false]);
        assert_eq!(over_http2(Tunnel::WebSocket), [true, true, true]);
        assert_eq!(over_http1(Tunnel::Upgrade), [true, false, false]);
        assert_eq!(over_http2(Tunnel::Upgrade), [true, true, false]);
        assert_eq!(over_http1(Tunnel::Connect), [false, true, false]);
    }
}
