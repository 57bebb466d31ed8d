//! What `Connection`, `TE` and `Upgrade` ask for.

use super::chars::{has_token, tokens};
use super::error::DecodeError;
use super::event::Version;
use crate::HeaderMap;

/// From this many elements on Envoy refuses a `Connection` header.
const MAX_NOMINATED: usize = 10;
/// From this many bytes on Envoy refuses a `TE` header that `Connection` names.
const MAX_TE: usize = 256;

/// Whether the connection may be used again after this message, as far as the headers go.
pub(super) fn keeps_alive(headers: &HeaderMap, version: Version) -> bool {
    let connection = headers.get(b"connection");
    !has_token(connection, b"close")
        && !has_token(headers.get(b"proxy-connection"), b"close")
        && (version == Version::Http11 || has_token(connection, b"keep-alive"))
}

/// Whether a message's headers speak of another protocol: `upgrade`, and `connection` that names it.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains(b"upgrade") && has_token(headers.get(b"connection"), b"upgrade")
}

/// Whether the request asks for another protocol. A wish for HTTP/2 and nothing else is taken out of the headers, as Envoy does.
pub(super) fn takes_upgrade(headers: &mut HeaderMap) -> bool {
    let Some(upgrade) = headers.get(b"upgrade") else { return false };
    if !has_token(headers.get(b"connection"), b"upgrade") {
        return false;
    }
    if !upgrade.eq_ignore_ascii_case(b"h2c") {
        return true;
    }
    headers.remove(b"http2-settings");
    let connection = without(headers.get(b"connection").unwrap_or_default(), |token| {
        token.eq_ignore_ascii_case(b"http2-settings") || token.eq_ignore_ascii_case(b"upgrade")
    });
    set_or_remove(headers, b"connection", &connection);
    headers.remove(b"upgrade");
    false
}

/// Removes the headers that `Connection` names, and what Envoy does not understand from `TE`. `Connection` itself stays.
pub(super) fn sanitize(headers: &mut HeaderMap) -> Result<(), DecodeError> {
    if let Some(connection) = headers.get(b"connection") {
        if connection.split(|byte| *byte == b',').filter(|token| !token.is_empty()).count() >= MAX_NOMINATED {
            return Err(DecodeError::CONNECTION);
        }
        if !tokens(connection).all(is_option) {
            let connection = connection.to_vec();
            for name in tokens(&connection).filter(|name| !is_option(name)) {
                nominated(headers, name)?;
            }
        }
    }
    if let Some(te) = headers.get(b"te") {
        if has_token(Some(te), b"trailers") {
            headers.set(b"te", b"trailers");
        } else {
            headers.remove(b"te");
        }
    }
    Ok(())
}

/// Whether an element of `Connection` names no header to remove.
fn is_option(token: &[u8]) -> bool {
    let is = |other: &[u8]| token.eq_ignore_ascii_case(other);
    is(b"close") || is(b"keep-alive") || is(b"upgrade") || is(b"http2-settings") || is(b"connection")
}

/// A header that `Connection` names.
fn nominated(headers: &mut HeaderMap, name: &[u8]) -> Result<(), DecodeError> {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    // Taking these away could hide where a request comes from.
    if name.starts_with(b":") || is(b"x-forwarded-for") || is(b"x-forwarded-host") || is(b"x-forwarded-proto") {
        return Err(DecodeError::CONNECTION);
    }
    if is(b"te") {
        return if headers.get(b"te").is_some_and(|te| te.len() >= MAX_TE) {
            Err(DecodeError::CONNECTION)
        } else {
            Ok(())
        };
    }
    headers.remove(name);
    Ok(())
}

fn without(list: &[u8], drop: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    tokens(list).filter(|token| !drop(token)).collect::<Vec<_>>().join(&b","[..])
}

fn set_or_remove(headers: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if value.is_empty() {
        headers.remove(name);
    } else {
        headers.set(name, value);
    }
}
