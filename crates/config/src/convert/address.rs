//! Addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::Context;
use crate::{
    model::EndpointAddress,
    proto::envoy::config::core::v3::{
        Address, SocketAddress, address,
        socket_address::{PortSpecifier, Protocol},
    },
};

/// An address to listen on: an IP address, and whether IPv4 may come in through IPv6.
pub(super) fn bind_address(context: &mut Context<'_>, message: Address) -> Option<(SocketAddr, bool)> {
    let socket = socket_address(context, message)?;
    context.field("socket_address", |context| {
        let port = port(context, &socket)?;
        let ip = ip(context, &socket.address)?;
        let wildcard = matches!(ip, IpAddr::V6(ip) if ip == Ipv6Addr::UNSPECIFIED || ip.to_ipv4_mapped().is_some());
        if socket.ipv4_compat && !wildcard {
            context.error_at("ipv4_compat", "only '::' and IPv4-mapped IPv6 addresses can set ipv4_compat");
            return None;
        }
        Some((SocketAddr::new(ip, port), socket.ipv4_compat))
    })
}

/// An address to send datagrams to: an IP address. What `protocol` says does not count (observed in Envoy 1.40).
pub(super) fn datagram_address(context: &mut Context<'_>, message: Address) -> Option<SocketAddr> {
    let address::Address::SocketAddress(socket) = context.required("address", message.address)?;
    context.field("socket_address", |context| {
        let port = port(context, &socket)?;
        Some(SocketAddr::new(ip(context, &socket.address)?, port))
    })
}

/// An address that connections come from.
pub(super) fn source_address(context: &mut Context<'_>, socket: &SocketAddress) -> Option<SocketAddr> {
    let port = port(context, socket)?;
    Some(SocketAddr::new(ip(context, &socket.address)?, port))
}

/// An address to connect to: an IP address, or in a DNS cluster a name.
pub(super) fn endpoint_address(context: &mut Context<'_>, message: Address, names: bool) -> Option<EndpointAddress> {
    let socket = socket_address(context, message)?;
    context.field("socket_address", |context| {
        let port = port(context, &socket)?;
        if socket.ipv4_compat {
            context.error_at("ipv4_compat", "ipv4_compat is for listeners");
            return None;
        }
        match parse_ip(&socket.address) {
            Some(ip) => Some(EndpointAddress::Ip(SocketAddr::new(ip, port))),
            None if names => Some(EndpointAddress::Name { host: socket.address, port }),
            None => {
                let message = format!(
                    "malformed IP address: {}: names are for clusters of type STRICT_DNS or LOGICAL_DNS",
                    socket.address
                );
                context.error_at("address", message);
                None
            }
        }
    })
}

fn socket_address(context: &mut Context<'_>, message: Address) -> Option<SocketAddress> {
    let address = context.required("address", message.address)?;
    let address::Address::SocketAddress(socket) = address;
    if socket.protocol != i32::from(Protocol::Tcp) {
        context.field("socket_address", |context| context.error_at("protocol", "only TCP is implemented"));
        return None;
    }
    Some(socket)
}

fn port(context: &mut Context<'_>, socket: &SocketAddress) -> Option<u16> {
    let PortSpecifier::PortValue(port) = context.required("port_specifier", socket.port_specifier.as_ref())?;
    // A rule has seen to the range.
    u16::try_from(*port).ok()
}

fn ip(context: &mut Context<'_>, text: &str) -> Option<IpAddr> {
    let ip = parse_ip(text);
    if ip.is_none() && !text.is_empty() {
        context.error_at("address", format!("malformed IP address: {text}"));
    }
    ip
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}
