//! `x-forwarded-for` and its companions.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use sandgate_config::model::{HttpConnectionManager, OriginalIpDetection};
use sandgate_http::HeaderMap;

use super::{DetectionFailed, RequestContext};

/// Who asks, as far as that is known.
pub(super) struct Client {
    pub(super) address: Option<SocketAddr>,
    /// It came here straight: `x-forwarded-for` names nobody else.
    direct: bool,
}

// === impl Client ===

impl Client {
    /// Whether the request comes from inside.
    pub(super) fn is_internal(&self, config: &HttpConnectionManager) -> bool {
        self.direct
            && self
                .address
                .is_some_and(|address| config.internal_addresses.iter().any(|range| range.contains(address.ip())))
    }
}

/// `use_remote_address`: appends the peer to `x-forwarded-for` and sets `x-forwarded-proto`. Returns the client that the
/// trusted hops in front of us name, or the peer.
pub(super) fn append(headers: &mut HeaderMap, context: &RequestContext<'_>) -> Client {
    let config = context.config;
    let hops = config.xff_num_trusted_hops;
    let direct = !headers.contains(b"x-forwarded-for");
    let trusted = hops.checked_sub(1).and_then(|skip| last_address(headers, skip));
    if !config.skip_xff_append {
        append_peer(headers, context);
    }
    if hops == 0 || !headers.contains(b"x-forwarded-proto") {
        headers.set(b"x-forwarded-proto", context.scheme());
    }
    Client { address: trusted.or(context.peer), direct }
}

/// Tells the listener's port, unless trusted hops in front of us have told theirs.
pub(super) fn tell_port(headers: &mut HeaderMap, context: &RequestContext<'_>) {
    let config = context.config;
    let at_edge = config.use_remote_address && config.xff_num_trusted_hops == 0;
    if config.append_x_forwarded_port
        && let Some(port) = context.local_port
        && (at_edge || !headers.contains(b"x-forwarded-port"))
    {
        headers.set(b"x-forwarded-port", port.to_string().as_bytes());
    }
}

/// Without `use_remote_address`: the client that `x-forwarded-for` names, if it does.
pub(super) fn detect(headers: &mut HeaderMap, context: &RequestContext<'_>) -> Result<Client, DetectionFailed> {
    let found = |headers: &HeaderMap, hops| {
        let alone = headers.get(b"x-forwarded-for").is_some_and(|value| !value.contains(&b','));
        Client { address: last_address(headers, hops), direct: alone && hops == 0 }
    };
    if context.config.original_ip_detection.is_empty() {
        return Ok(found(headers, context.config.xff_num_trusted_hops));
    }
    for detection in &context.config.original_ip_detection {
        let client = match detection {
            OriginalIpDetection::Xff { trusted_hops, skip_append } => {
                let client = found(headers, *trusted_hops);
                if !skip_append {
                    append_peer(headers, context);
                }
                client
            }
            OriginalIpDetection::CustomHeader { name, trusted, reject_status } => {
                let address = headers.get(name.as_bytes()).and_then(address);
                if let (None, Some(status)) = (address, reject_status) {
                    return Err(DetectionFailed(*status));
                }
                Client { address, direct: *trusted }
            }
        };
        if client.address.is_some() {
            return Ok(client);
        }
    }
    Ok(Client { address: None, direct: false })
}

fn append_peer(headers: &mut HeaderMap, context: &RequestContext<'_>) {
    let Some(peer) = context.peer else { return };
    let ip = if peer.ip().is_loopback() { context.local_ip } else { peer.ip() };
    let mut value = headers.get(b"x-forwarded-for").unwrap_or_default().to_vec();
    if !value.is_empty() {
        value.push(b',');
    }
    // Writing to a vector does not fail.
    let _ = write!(value, "{ip}");
    headers.set(b"x-forwarded-for", &value);
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
    address(last.trim_ascii())
}

fn address(text: &[u8]) -> Option<SocketAddr> {
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(SocketAddr::new(ip, 0))
}
