//! Request targets that name a host: absolute URLs and the authority of CONNECT.

use std::net::Ipv6Addr;

use memchr::memmem;

use super::error::DecodeError;

/// The parts of an absolute URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AbsoluteUrl<'a> {
    /// `http` or `https`, in lower case.
    pub(super) scheme: &'static [u8],
    /// Host and port as written, without user name and password.
    pub(super) authority: &'a [u8],
    /// From the first `/` or `?`; `/` if there is neither.
    pub(super) path: &'a [u8],
}

impl<'a> AbsoluteUrl<'a> {
    /// Splits `url` into its parts.
    pub(super) fn parse(url: &'a [u8]) -> Result<Self, DecodeError> {
        let colon = memmem::find(url, b"://").ok_or(DecodeError::URL)?;
        let (scheme, rest) = (url.get(..colon).unwrap_or_default(), url.get(colon + 3..).unwrap_or_default());
        let scheme: &'static [u8] = if scheme.eq_ignore_ascii_case(b"http") {
            b"http"
        } else if scheme.eq_ignore_ascii_case(b"https") {
            b"https"
        } else {
            return Err(DecodeError::SCHEME);
        };
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or_default();
        let authority = match memchr::memchr(b'@', authority) {
            Some(at) => authority.get(at + 1..).unwrap_or_default(),
            None => authority,
        };
        if !is_host_and_port(authority, false) {
            return Err(DecodeError::URL);
        }
        Ok(Self { scheme, authority, path: if path.is_empty() { b"/" } else { path } })
    }
}

/// Whether this is a host (a name of letters, digits, `-` and `.`, or an IPv6 address in brackets), with or without a port.
pub(super) fn is_host_and_port(authority: &[u8], needs_port: bool) -> bool {
    let (host_ok, port) = if let [b'[', rest @ ..] = authority {
        let Some(close) = memchr::memchr(b']', rest) else { return false };
        let address = rest.get(..close).and_then(|address| std::str::from_utf8(address).ok());
        (address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()), rest.get(close + 1..).unwrap_or_default())
    } else {
        let end = memchr::memchr(b':', authority).unwrap_or(authority.len());
        let (host, port) = authority.split_at_checked(end).unwrap_or_default();
        let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        (!host.is_empty() && host.iter().all(is_name_byte), port)
    };
    let port_ok = match port {
        [] => !needs_port,
        [b':', digits @ ..] => is_port(digits),
        _ => false,
    };
    host_ok && port_ok
}

fn is_port(digits: &[u8]) -> bool {
    let number = digits.iter().try_fold(0u32, |number, digit| {
        let number = number * 10 + u32::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        (number <= u32::from(u16::MAX)).then_some(number)
    });
    !digits.is_empty() && number.is_some()
}
