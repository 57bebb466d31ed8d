//! What a connection manager makes of requests before routes see them.

use std::net::IpAddr;

use super::{HeaderValueOption, StringMatcher};

/// How paths are brought into one form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathOptions {
    /// `normalize_path`: resolve `.` and `..`, unescape what needs no escape, escape what does; 400 where that cannot be.
    pub normalize: bool,
    /// `merge_slashes`: one instead of several, after all else.
    pub merge_slashes: bool,
    /// `path_with_escaped_slashes_action`, before all else.
    pub escaped_slashes: EscapedSlashesAction,
}

/// Envoy's `PathWithEscapedSlashesAction`: what becomes of `%2F` and `%5C`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapedSlashesAction {
    /// They stay. Envoy's default, too.
    #[default]
    KeepUnchanged,
    /// 400.
    RejectRequest,
    /// They become slashes, and the client is sent there.
    UnescapeAndRedirect,
    /// They become slashes.
    UnescapeAndForward,
}

/// Which ports are taken away from `host`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StripPort {
    /// None.
    #[default]
    None,
    /// `strip_matching_host_port`: the listener's own.
    Matching,
    /// `strip_any_host_port`: any.
    Any,
}

/// Envoy's `ForwardClientCertDetails`: what happens to `x-forwarded-client-cert`. Of clients without a certificate it is removed, unless
/// it is always forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardClientCert {
    /// It is removed.
    #[default]
    Sanitize,
    /// It stays.
    ForwardOnly,
    /// The client's certificate is added to it.
    AppendForward,
    /// It tells of the client's certificate alone.
    SanitizeSet,
    /// It stays, whoever sent it.
    AlwaysForwardOnly,
}

/// Envoy's `SetCurrentClientCertDetails`: what `x-forwarded-client-cert` tells of a certificate besides its digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCertDetails {
    /// `Subject`.
    pub subject: bool,
    /// `Cert`: the certificate in PEM.
    pub cert: bool,
    /// `Chain`: all certificates the client presented.
    pub chain: bool,
    /// `DNS`, as often as it has such names.
    pub dns: bool,
    /// `URI`, likewise; once and empty if it has none.
    pub uri: bool,
}

/// Addresses with a common beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidrRange {
    /// Any of them.
    pub address: IpAddr,
    /// How many bits they have in common; at most 32 or 128.
    pub prefix_len: u8,
}

/// Where the client's address comes from, if not from the connection manager's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginalIpDetection {
    /// `envoy.http.original_ip_detection.xff`.
    Xff {
        /// Proxies in front whose entries are trusted.
        trusted_hops: u32,
        /// Do not append to `x-forwarded-for`. True by default.
        skip_append: bool,
    },
    /// `envoy.http.original_ip_detection.custom_header`.
    CustomHeader {
        /// It holds the address, with or without a port. In lower case.
        name: String,
        /// The address says whether the request is internal. False by default.
        trusted: bool,
        /// The answer if there is no address in it; `None` goes on without. From 400 to 511.
        reject_status: Option<u16>,
    },
}

/// One of the changes that `envoy.http.early_header_mutation.header_mutation` makes, in order, before the route is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum HeaderMutation {
    /// Remove all of the name, in lower case.
    Remove(String),
    /// Remove those whose name matches.
    RemoveOnMatch(StringMatcher),
    /// Add or set.
    Append(HeaderValueOption),
}

// === impl CidrRange ===

impl CidrRange {
    /// The same range by its first address.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.prefix_len.into())).unwrap_or_default();
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.prefix_len.into())).unwrap_or_default();
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { address, prefix_len: self.prefix_len }
    }

    /// Whether an address is in it; an IPv4 address that is mapped to IPv6 is itself.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let shift = 32_u32.saturating_sub(self.prefix_len.into());
                (range.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or_default() == 0
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let shift = 128_u32.saturating_sub(self.prefix_len.into());
                (range.to_bits() ^ address.to_bits()).checked_shr(shift).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::CidrRange;

    #[test]
    fn ranges_hold_addresses_with_their_beginning() {
        let holds = |range: &str, prefix_len, address: &str| {
            CidrRange { address: range.parse().unwrap(), prefix_len }.contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0", 8, "10.1.2.3"));
        assert!(!holds("10.0.0.0", 8, "11.1.2.3"));
        assert!(holds("10.0.0.1", 32, "10.0.0.1"));
        assert!(!holds("10.0.0.1", 32, "10.0.0.2"));
        assert!(holds("0.0.0.0", 0, "1.2.3.4"));
        assert!(holds("10.0.0.0", 8, "::ffff:10.1.2.3"));
        assert!(holds("fd00::", 8, "fd12::1"));
        assert!(!holds("fd00::", 8, "10.1.2.3"));
        assert!(holds("::", 0, "fe80::1"));
    }
}
