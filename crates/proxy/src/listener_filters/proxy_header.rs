//! A header of the PROXY protocol, versions 1 and 2, as Envoy 1.40 reads it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What version 1 begins with.
const V1_SIGNATURE: &[u8] = b"PROXY ";
/// What version 2 begins with.
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1.
const V1_MAX: usize = 108;
/// The head of version 2: the signature, version and command, family and transport, length.
const V2_HEAD: usize = 16;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProxyHeader<'a> {
    /// Source and destination; nothing if the connection is the proxy's own.
    pub(super) addresses: Option<(SocketAddr, SocketAddr)>,
    /// Of version 2, what stands behind the addresses.
    pub(super) extensions: &'a [u8],
    /// Its bytes.
    pub(super) length: usize,
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// Of a header that is not complete, with the bytes to wait for if they are known.
    Partial(Option<Version>, usize),
    Header(Version, ProxyHeader<'a>),
    /// A header that is broken, or something that cannot become one.
    Broken(Option<Version>),
}

/// Whether a header may begin so.
pub(super) fn may_be(version: Version, data: &[u8]) -> bool {
    let signature = if version == Version::V1 { V1_SIGNATURE } else { V2_SIGNATURE };
    let count = signature.len().min(data.len());
    data.get(..count) == signature.get(..count)
}

/// Reads the first bytes of a connection.
pub(super) fn parse(data: &[u8]) -> Parsed<'_> {
    if let Some(head) = data.first_chunk::<V2_HEAD>() {
        if data.starts_with(V2_SIGNATURE) {
            return parse_v2(head, data);
        }
        if !data.starts_with(V1_SIGNATURE) {
            return Parsed::Broken(None);
        }
    }
    let end = data.windows(2).position(|bytes| bytes == b"\r\n").map(|place| place + 2);
    match end {
        // It may become version 2.
        Some(2) => Parsed::Partial(None, 0),
        Some(end) if end > V1_MAX => Parsed::Broken(None),
        Some(end) => match parse_v1(data.get(..end).unwrap_or_default()) {
            Some(addresses) => Parsed::Header(Version::V1, ProxyHeader { addresses, extensions: &[], length: end }),
            None => Parsed::Broken(Some(Version::V1)),
        },
        None if data.len() > V1_MAX => Parsed::Broken(None),
        None => Parsed::Partial(None, 0),
    }
}

/// `PROXY TCP4|TCP6|UNKNOWN SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT`.
#[expect(clippy::option_option, reason = "a line may be broken, and one that is not may have no addresses")]
fn parse_v1(line: &[u8]) -> Option<Option<(SocketAddr, SocketAddr)>> {
    let line = std::str::from_utf8(line.trim_ascii_end()).ok()?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [first, family, rest @ ..] = &*parts else { return None };
    if *first != "PROXY" {
        return None;
    }
    if *family == "UNKNOWN" {
        return Some(None);
    }
    let [source, destination, source_port, destination_port] = rest else { return None };
    let address = |text: &str, port: &str| {
        let ip: IpAddr = match *family {
            "TCP4" => text.parse::<Ipv4Addr>().ok()?.into(),
            "TCP6" => text.parse::<Ipv6Addr>().ok()?.into(),
            _ => return None,
        };
        is_unicast(ip).then_some(SocketAddr::new(ip, port.parse().ok()?))
    };
    Some(Some((address(source, source_port)?, address(destination, destination_port)?)))
}

fn parse_v2<'a>(head: &[u8; V2_HEAD], data: &'a [u8]) -> Parsed<'a> {
    const BROKEN: Parsed<'static> = Parsed::Broken(Some(Version::V2));
    let [.., version_command, family_transport, high, low] = *head;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    let length = V2_HEAD + rest;
    if version_command >> 4 != 2 {
        return BROKEN;
    }
    let own = version_command & 0xf == 0;
    let address_length = match family_transport >> 4 {
        _ if own => 0,
        1 => 12,
        2 => 36,
        _ => return BROKEN,
    };
    if rest < address_length {
        return BROKEN;
    }
    let Some(addresses) = data.get(V2_HEAD..V2_HEAD + address_length) else {
        return Parsed::Partial(Some(Version::V2), length);
    };
    let is_proxied = version_command & 0xf == 1 && matches!(family_transport & 0xf, 1 | 2);
    if !own && !is_proxied {
        return BROKEN;
    }
    let Some(whole) = data.get(..length) else { return Parsed::Partial(Some(Version::V2), length) };
    if own {
        // What stands behind a header without addresses means nothing.
        let header = ProxyHeader { addresses: None, extensions: &[], length };
        return Parsed::Header(Version::V2, header);
    }
    let Some((source, destination)) = v2_addresses(addresses) else { return BROKEN };
    if !is_unicast(source.ip()) || !is_unicast(destination.ip()) {
        return BROKEN;
    }
    let extensions = whole.get(V2_HEAD + address_length..).unwrap_or_default();
    Parsed::Header(Version::V2, ProxyHeader { addresses: Some((source, destination)), extensions, length })
}

fn v2_addresses(bytes: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let (ips, ports) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let (source, destination) = ips.split_at(ips.len() / 2);
    let ip = |bytes: &[u8]| -> Option<IpAddr> {
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
    };
    let [a, b, c, d] = *ports else { return None };
    Some((
        SocketAddr::new(ip(source)?, u16::from_be_bytes([a, b])),
        SocketAddr::new(ip(destination)?, u16::from_be_bytes([c, d])),
    ))
}

fn is_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// The fields of a header, by type; nothing if they are broken.
pub(super) fn fields(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut fields = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        fields.push((*kind, value));
        bytes = rest;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn v2(version_command: u8, family_transport: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[version_command, family_transport], &length, rest].concat()
    }

    fn addresses(data: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
        match parse(data) {
            Parsed::Header(_, header) => header.addresses,
            other => panic!("{other:?}"),
        }
    }

    const V4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187];

    #[test]
    fn lines_of_version_1() {
        let four = addresses(b"PROXY TCP4 192.0.2.1 192.0.2.2 80 443\r\nGET").unwrap();
        assert_eq!(four, ("192.0.2.1:80".parse().unwrap(), "192.0.2.2:443".parse().unwrap()));
        let six = addresses(b"PROXY TCP6 fd00::1 fd00::2 80 443\r\n").unwrap();
        assert_eq!(six, ("[fd00::1]:80".parse().unwrap(), "[fd00::2]:443".parse().unwrap()));
        assert_eq!(addresses(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(addresses(b"PROXY UNKNOWN x y z\r\n"), None);
        for broken in [
            "PROXY\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 80\r\n",
            "PROXY TCP4 192.0.2.1  192.0.2.2 80 443\r\n",
            "PROXY TCP4 fd00::1 fd00::2 80 443\r\n",
            "PROXY TCP6 192.0.2.1 192.0.2.2 80 443\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 80 65536\r\n",
            "PROXY TCP4 0.0.0.0 192.0.2.2 80 443\r\n",
            "PROXY TCP4 192.0.2.1 255.255.255.255 80 443\r\n",
            "PROXY TCP4 224.0.0.1 192.0.2.2 80 443\r\n",
            "PROXY UDP4 192.0.2.1 192.0.2.2 80 443\r\n",
            "GET /\r\n",
        ] {
            assert_eq!(parse(broken.as_bytes()), Parsed::Broken(Some(Version::V1)), "{broken:?}");
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(100));
        assert_eq!(parse(long.as_bytes()), Parsed::Broken(None));
        assert_eq!(parse(b"GET / HTTP/1.1\r\n\r\n"), Parsed::Broken(None));
        assert_eq!(parse(b"GET / HTTP/1.1"), Parsed::Partial(None, 0));
        assert_eq!(parse(b"PROXY TCP4 192.0.2.1 192."), Parsed::Partial(None, 0));
    }

    #[test]
    fn headers_of_version_2() {
        let whole = v2(0x21, 0x11, &[V4, &[4, 0, 1, b'x']].concat());
        let Parsed::Header(Version::V2, header) = parse(&whole) else { panic!("no header") };
        assert_eq!(header.addresses, Some(("192.0.2.1:80".parse().unwrap(), "192.0.2.2:443".parse().unwrap())));
        assert_eq!((header.extensions, header.length), (&[4, 0, 1, b'x'][..], whole.len()));
        for end in 0..whole.len() {
            assert!(matches!(parse(&whole[..end]), Parsed::Partial(..)), "{end}");
        }
        let six = v2(0x21, 0x22, &[&[0xfd; 32][..], &[0, 1, 0, 2]].concat());
        assert_eq!(addresses(&six).unwrap().1.port(), 2);
        assert_eq!(addresses(&v2(0x20, 0, b"xx")), None);
        for broken in [
            v2(0x11, 0x11, V4),
            v2(0x21, 0x01, V4),
            v2(0x21, 0x31, &[0; 216]),
            v2(0x21, 0x13, V4),
            v2(0x22, 0x11, V4),
            v2(0x21, 0x11, &V4[..8]),
            v2(0x21, 0x11, &[0; 12]),
        ] {
            assert_eq!(parse(&broken), Parsed::Broken(Some(Version::V2)), "{broken:?}");
        }
    }

    #[test]
    fn fields_have_a_type_and_a_length() {
        assert_eq!(fields(b"\x01\0\x02h2\x02\0\0"), Some(vec![(1, &b"h2"[..]), (2, b"")]));
        for broken in [&b"\x01"[..], b"\x01\0", b"\x01\0\x02h"] {
            assert_eq!(fields(broken), None);
        }
    }

    #[test]
    fn beginnings() {
        assert!(may_be(Version::V1, b"") && may_be(Version::V1, b"PRO") && may_be(Version::V1, b"PROXY TCP4"));
        assert!(!may_be(Version::V1, b"GET") && may_be(Version::V2, b"\r\n") && !may_be(Version::V2, b"\r\n\r\n\x01"));
    }
}
