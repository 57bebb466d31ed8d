//! How the filter chain of a connection is found.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{CidrRange, FilterChainMatch, SourceType};

/// What is known of a connection when its filter chain is chosen.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionFacts<'a> {
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// The client.
    pub remote: SocketAddr,
    /// The peer of the socket.
    pub direct_remote: SocketAddr,
    /// In lower case; empty if none was seen.
    pub server_name: &'a str,
    /// `raw_buffer` if none was detected.
    pub transport_protocol: &'a str,
    /// In the client's order.
    pub application_protocols: &'a [Box<str>],
}

/// The filter chains of a listener by what they match: Envoy's order of criteria, in which the most specific value of one leads to
/// the next, and there is no way back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterChainTree {
    ports: HashMap<u16, Ranges<Names>>,
}

/// The rules of a chain are those of another, in part at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap;

type Names = HashMap<String, TransportProtocols>;
type TransportProtocols = HashMap<String, ApplicationProtocols>;
type ApplicationProtocols = HashMap<String, Ranges<SourceTypes>>;
/// By [`SourceType`].
type SourceTypes = [Ranges<SourcePorts>; 3];
type SourcePorts = HashMap<u16, usize>;

/// Values by ranges of addresses, the longest first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranges<T>(Vec<(Option<CidrRange>, T)>);

// === impl FilterChainTree ===

impl FilterChainTree {
    /// Adds the chain of that number.
    ///
    /// # Errors
    /// If a connection could belong to it and to one that was added before, by the same values.
    pub fn add(&mut self, rule: &FilterChainMatch, chain: usize) -> Result<(), Overlap> {
        let names = self.ports.entry(rule.destination_port.unwrap_or_default()).or_default();
        for destination in or_all(&rule.prefix_ranges) {
            let names = names.entry(destination);
            for name in or_any(&rule.server_names) {
                // `*.a` is known as `.a`.
                let name = name.strip_prefix('*').unwrap_or(name).to_owned();
                let protocols = names.entry(name).or_default().entry(rule.transport_protocol.clone()).or_default();
                for protocol in or_any(&rule.application_protocols) {
                    let direct_sources = protocols.entry(protocol.to_owned()).or_default();
                    for direct_source in or_all(&rule.direct_source_prefix_ranges) {
                        let sources = &mut direct_sources.entry(direct_source)[rule.source_type as usize];
                        for source in or_all(&rule.source_prefix_ranges) {
                            add_ports(sources.entry(source), &rule.source_ports, chain)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The chain for a connection, if there is one.
    #[must_use]
    pub fn find(&self, facts: &ConnectionFacts<'_>) -> Option<usize> {
        let names = self.ports.get(&facts.local.port()).or_else(|| self.ports.get(&0))?.get(facts.local.ip())?;
        let transport = find_name(names, facts.server_name)?;
        let protocols = transport.get(facts.transport_protocol).or_else(|| transport.get(""))?;
        let asked_for = facts.application_protocols.iter().find_map(|protocol| protocols.get(&**protocol));
        let types = asked_for.or_else(|| protocols.get(""))?.get(facts.direct_remote.ip())?;
        let own = if is_same_ip_or_loopback(facts) { SourceType::SameIpOrLoopback } else { SourceType::External };
        let sources = Some(&types[own as usize]).filter(|sources| !sources.0.is_empty());
        let ports = sources.unwrap_or(&types[SourceType::Any as usize]).get(facts.remote.ip())?;
        ports.get(&facts.remote.port()).or_else(|| ports.get(&0)).copied()
    }
}

fn add_ports(known: &mut SourcePorts, ports: &[u16], chain: usize) -> Result<(), Overlap> {
    let ports = if ports.is_empty() { &[0][..] } else { ports };
    for port in ports {
        if known.insert(*port, chain).is_some() {
            return Err(Overlap);
        }
    }
    Ok(())
}

/// The name itself, then what wildcards stand for it, then what asks for no name.
fn find_name<'a>(names: &'a Names, name: &str) -> Option<&'a TransportProtocols> {
    if let Some(exact) = names.get(name) {
        return Some(exact);
    }
    let mut from = 1;
    while let Some(point) = name.get(from..).and_then(|rest| rest.find('.')).map(|point| from + point) {
        // A point at the end is no label.
        if point + 1 >= name.len() {
            break;
        }
        if let Some(wildcard) = name.get(point..).and_then(|suffix| names.get(suffix)) {
            return Some(wildcard);
        }
        from = point + 1;
    }
    names.get("")
}

fn is_same_ip_or_loopback(facts: &ConnectionFacts<'_>) -> bool {
    let remote = facts.remote.ip().to_canonical();
    // Of the loopback network, this address alone (observed in Envoy 1.40).
    remote == Ipv4Addr::LOCALHOST || remote == Ipv6Addr::LOCALHOST || remote == facts.local.ip().to_canonical()
}

fn or_all(ranges: &[CidrRange]) -> Vec<Option<CidrRange>> {
    if ranges.is_empty() { vec![None] } else { ranges.iter().map(|range| Some(range.network())).collect() }
}

fn or_any(names: &[String]) -> Vec<&str> {
    if names.is_empty() { vec![""] } else { names.iter().map(String::as_str).collect() }
}

// === impl Ranges ===

impl<T: Default> Ranges<T> {
    fn entry(&mut self, range: Option<CidrRange>) -> &mut T {
        let length = |range: &Option<CidrRange>| range.map_or(-1, |range| i16::from(range.prefix_len));
        let place = match self.0.iter().position(|(known, _)| *known == range) {
            Some(place) => place,
            None => {
                let place = self.0.partition_point(|(known, _)| length(known) >= length(&range));
                self.0.insert(place, (range, T::default()));
                place
            }
        };
        &mut self.0[place].1
    }
}

impl<T> Ranges<T> {
    /// Of the longest range that holds the address.
    fn get(&self, address: IpAddr) -> Option<&T> {
        let holds = |range: &Option<CidrRange>| range.is_none_or(|range| range.contains(address));
        self.0.iter().find(|(range, _)| holds(range)).map(|(_, value)| value)
    }
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn tree(rules: &[FilterChainMatch]) -> Result<FilterChainTree, Overlap> {
        let mut tree = FilterChainTree::default();
        for (chain, rule) in rules.iter().enumerate() {
            tree.add(rule, chain)?;
        }
        Ok(tree)
    }

    fn facts<'a>() -> ConnectionFacts<'a> {
        let (local, remote) = ("10.0.0.1:443".parse().unwrap(), "192.0.2.7:5000".parse().unwrap());
        ConnectionFacts {
            local,
            remote,
            direct_remote: remote,
            server_name: "",
            transport_protocol: "raw_buffer",
            application_protocols: &[],
        }
    }

    fn names(names: &[&str]) -> FilterChainMatch {
        FilterChainMatch {
            server_names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..FilterChainMatch::default()
        }
    }

    fn ranges(ranges: &[(&str, u8)]) -> Vec<CidrRange> {
        let range = |(address, prefix_len): &(&str, u8)| CidrRange {
            address: address.parse().unwrap(),
            prefix_len: *prefix_len,
        };
        ranges.iter().map(range).collect()
    }

    #[test]
    fn the_longest_name_wins() {
        let tree = tree(&[names(&["*.com"]), names(&["*.b.com", "c.com"]), names(&["a.b.com"]), names(&[])]).unwrap();
        for (name, chain) in [
            ("a.b.com", 2),
            ("x.b.com", 1),
            ("x.y.b.com", 1),
            ("b.com", 0),
            ("c.com", 1),
            ("x.c.com", 0),
            ("com", 3),
            (".com", 0),
            ("x.com.", 3),
            ("", 3),
        ] {
            assert_eq!(tree.find(&ConnectionFacts { server_name: name, ..facts() }), Some(chain), "{name}");
        }
    }

    #[test]
    fn there_is_no_way_back() {
        let port = |port| FilterChainMatch { destination_port: Some(port), ..FilterChainMatch::default() };
        let tls = FilterChainMatch { transport_protocol: "tls".into(), ..names(&["a.com"]) };
        let tree = tree(&[FilterChainMatch { destination_port: Some(443), ..tls }, port(80), names(&[])]).unwrap();
        // The port leads to a name, which leads to TLS.
        assert_eq!(tree.find(&facts()), None);
        assert_eq!(tree.find(&ConnectionFacts { server_name: "a.com", ..facts() }), None);
        let both = ConnectionFacts { server_name: "a.com", transport_protocol: "tls", ..facts() };
        assert_eq!(tree.find(&both), Some(0));
        let other = ConnectionFacts { local: "10.0.0.1:9".parse().unwrap(), ..facts() };
        assert_eq!(tree.find(&other), Some(2));
    }

    #[test]
    fn the_longest_range_wins() {
        let of = |list: &[(&str, u8)]| FilterChainMatch { prefix_ranges: ranges(list), ..FilterChainMatch::default() };
        let tree = tree(&[of(&[("10.9.9.9", 8)]), of(&[("10.0.0.0", 24), ("fd00::", 8)]), of(&[])]).unwrap();
        for (address, chain) in
            [("10.0.0.5:1", 1), ("10.1.0.5:1", 0), ("11.0.0.1:1", 2), ("[fd00::1]:1", 1), ("[::ffff:10.0.0.5]:1", 1)]
        {
            let local = address.parse().unwrap();
            assert_eq!(tree.find(&ConnectionFacts { local, ..facts() }), Some(chain), "{address}");
        }
    }

    #[test]
    fn sources_have_a_type_a_range_and_a_port() {
        let of = |source_type, list: &[(&str, u8)], ports: &[u16]| FilterChainMatch {
            source_type,
            source_prefix_ranges: ranges(list),
            source_ports: ports.to_vec(),
            ..FilterChainMatch::default()
        };
        let tree = tree(&[
            of(SourceType::Any, &[], &[]),
            of(SourceType::SameIpOrLoopback, &[], &[]),
            of(SourceType::External, &[("192.0.2.0", 24)], &[7, 8]),
            of(SourceType::External, &[("192.0.2.0", 24)], &[]),
        ])
        .unwrap();
        for (address, chain) in [
            ("127.0.0.1:1", Some(1)),
            ("10.0.0.1:1", Some(1)),
            ("192.0.2.1:7", Some(2)),
            ("192.0.2.1:9", Some(3)),
            // There are rules for what is external, and this is.
            ("192.0.3.1:9", None),
        ] {
            let remote = address.parse().unwrap();
            assert_eq!(tree.find(&ConnectionFacts { remote, ..facts() }), chain, "{address}");
        }
    }

    #[test]
    fn protocols_in_the_clients_order() {
        let of = |list: &[&str]| FilterChainMatch {
            application_protocols: list.iter().map(|name| (*name).to_owned()).collect(),
            ..FilterChainMatch::default()
        };
        let tree = tree(&[of(&["http/1.1", "http/1.0"]), of(&["h2"])]).unwrap();
        let find = |list: &[&str]| {
            let list: Vec<Box<str>> = list.iter().map(|name| (*name).into()).collect();
            tree.find(&ConnectionFacts { application_protocols: &list, ..facts() })
        };
        assert_eq!([find(&["h2", "http/1.1"]), find(&["x", "http/1.0", "h2"]), find(&["x"])], [Some(1), Some(0), None]);
    }

    #[test]
    fn rules_may_not_overlap() {
        assert_eq!(tree(&[names(&["a", "b"]), names(&["b", "c"])]), Err(Overlap));
        assert_eq!(tree(&[names(&["a", "a"])]), Err(Overlap));
        let range = |list| FilterChainMatch { source_prefix_ranges: ranges(list), ..FilterChainMatch::default() };
        assert_eq!(tree(&[range(&[("10.1.0.0", 8)]), range(&[("10.2.0.0", 8)])]), Err(Overlap));
        tree(&[range(&[("10.1.0.0", 8)]), range(&[("10.2.0.0", 16)])]).unwrap();
    }
}
