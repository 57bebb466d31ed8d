//! `x-forwarded-for` and its companions.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use sandgate_config::model::HttpConnectionManager;
use sandgate_http::HeaderMap;

use super::RequestContext;

/// `use_remote_address`: appends the peer to `x-forwarded-for` and sets `x-forwarded-proto`. Returns the client that the
/// trusted hops in front of us name, or the peer.
pub(super) fn append(headers: &mut HeaderMap, context: &RequestContext<'_>) -> Option<SocketAddr> {
    let config = context.config;
    let hops = config.xff_num_trusted_hops;
    let trusted = hops.checked_sub(1).and_then(|skip| last_address(headers, skip));
    if !config.skip_xff_append
        && let Some(peer) = context.peer
    {
        let ip = if peer.ip().is_loopback() { context.local_ip } else { peer.ip() };
        let mut value = headers.get(b"x-forwarded-for").unwrap_or_default().to_vec();
        if !value.is_empty() {
            value.push(b',');
        }
        // Writing to a vector does not fail.
        let _ = write!(value, "{ip}");
        headers.set(b"x-forwarded-for", &value);
    }
    if hops == 0 || !headers.contains(b"x-forwarded-proto") {
        headers.set(b"x-forwarded-proto", b"http");
    }
    trusted.or(context.peer)
}

/// Without `use_remote_address`: the client that `x-forwarded-for` names, if it does.
pub(super) fn detect(headers: &HeaderMap, config: &HttpConnectionManager) -> Option<SocketAddr> {
    last_address(headers, config.xff_num_trusted_hops)
}

/// The last address of `x-forwarded-for` after leaving out `skip` of them.
fn last_address(headers: &HeaderMap, skip: u32) -> Option<SocketAddr> {
    let mut rest = headers.get(b"x-forwarded-for")?;
    for _ in 0..skip {
        let comma = rest.iter().rposition(|byte| *byte == b',')?;
        rest = rest.get(..comma)?;
    }
    let last = match rest.iter().rposition(|byte| *byte == b',') {
        Some(comma) if comma + 1 < rest.len() => rest.get(comma + 1..)?,
        _ => rest,
    };
    let ip: IpAddr = std::str::from_utf8(last.trim_ascii()).ok()?.parse().ok()?;
    Some(SocketAddr::new(ip, 0))
}
