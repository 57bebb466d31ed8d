//! Addresses of the two connections.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::FormatContext;
use crate::format::Rendered;
use crate::operator;

/// A command about an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressOf {
    of: End,
    part: Part,
    /// Bits of a network that the address is shortened to.
    prefix: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    DownstreamRemote,
    DownstreamDirectRemote,
    DownstreamLocal,
    DownstreamDirectLocal,
    UpstreamLocal,
    UpstreamRemote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    WithoutPort,
    Port,
}

const ENDS: &[(&str, End)] = &[
    ("DOWNSTREAM_REMOTE", End::DownstreamRemote),
    ("DOWNSTREAM_DIRECT_REMOTE", End::DownstreamDirectRemote),
    ("DOWNSTREAM_LOCAL", End::DownstreamLocal),
    ("DOWNSTREAM_DIRECT_LOCAL", End::DownstreamDirectLocal),
    ("UPSTREAM_LOCAL", End::UpstreamLocal),
    ("UPSTREAM_REMOTE", End::UpstreamRemote),
];

const PARTS: &[(&str, Part)] =
    &[("_ADDRESS", Part::Whole), ("_ADDRESS_WITHOUT_PORT", Part::WithoutPort), ("_PORT", Part::Port)];

/// The command of that name, if it is one of these.
pub(crate) fn find(name: &str) -> Option<(End, Part)> {
    ENDS.iter().find_map(|(prefix, end)| {
        let suffix = name.strip_prefix(prefix)?;
        PARTS.iter().find(|(part, _)| *part == suffix).map(|(_, part)| (*end, *part))
    })
}

// === impl AddressOf ===

impl AddressOf {
    pub(crate) fn new(of: End, part: Part, parameters: &str) -> Self {
        Self { of, part, prefix: parameters.parse().ok() }
    }

    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let Some(address) = self.address(context) else { return Rendered::Absent };
        match (self.part, self.prefix) {
            (Part::Whole, _) => operator::address(out, address),
            (Part::Port, _) => operator::number(out, address.port().into()),
            (Part::WithoutPort, None) => {
                let _ = write!(out, "{}", address.ip());
                Rendered::Text
            }
            (Part::WithoutPort, Some(bits)) => network(address.ip(), bits, out),
        }
    }

    fn address(&self, context: &FormatContext<'_>) -> Option<SocketAddr> {
        match self.of {
            End::DownstreamRemote => context.connection.remote_address,
            End::DownstreamDirectRemote => context.connection.direct_remote_address,
            End::DownstreamLocal => context.connection.local_address,
            End::DownstreamDirectLocal => context.connection.direct_local_address,
            End::UpstreamLocal => context.info.upstream.local_address,
            End::UpstreamRemote => context.info.upstream.remote_address,
        }
    }
}

/// The network of `bits` bits that an address is in; there are no more bits than the address has.
fn network(ip: IpAddr, bits: u8, out: &mut Vec<u8>) -> Rendered {
    let bits = bits.min(if ip.is_ipv4() { 32 } else { 128 });
    let ip = match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    };
    let _ = write!(out, "{ip}/{bits}");
    Rendered::Text
}
