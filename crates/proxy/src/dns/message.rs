//! Questions and answers as bytes.

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use super::{DnsAddress, Family};

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// None if there is no such name, or none of its addresses is of the family.
    Addresses(Vec<DnsAddress>),
    /// It could or would not say.
    Refused(RCODE),
    /// There is more than a datagram holds.
    Truncated,
}

/// Aliases of aliases are followed so far.
const MAX_ALIASES: usize = 16;

/// A question; `None` if the name cannot be asked for.
pub(super) fn question(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(family.record());
    packet.questions.push(Question::new(Name::new(name).ok()?, kind, QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

/// The answer to that question; `None` if the bytes are something else.
pub(super) fn answer(bytes: &[u8], id: u16, name: &str, family: Family) -> Option<Answer> {
    let packet = Packet::parse(bytes).ok()?;
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let asked = Name::new(name).ok()?;
    match packet.questions.as_slice() {
        [question] if is_same(&question.qname, &asked) && question.qtype == QTYPE::TYPE(family.record()) => {}
        _ => return None,
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Answer::Truncated);
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Some(Answer::Addresses(Vec::new())),
        other => return Some(Answer::Refused(other)),
    }
    Some(Answer::Addresses(addresses(&packet, &asked, family)))
}

/// Of the name, or of what it is an alias of. An address lives no longer than the aliases that lead to it.
fn addresses(packet: &Packet<'_>, asked: &Name<'_>, family: Family) -> Vec<DnsAddress> {
    let mut name = asked;
    let mut longest = u32::MAX;
    for _ in 0..MAX_ALIASES {
        let alias = packet.answers.iter().find_map(|record| match &record.rdata {
            RData::CNAME(target) if is_same(&record.name, name) => Some((&target.0, record.ttl)),
            _ => None,
        });
        let Some((target, ttl)) = alias else { break };
        name = target;
        longest = longest.min(ttl);
    }
    let records = packet.answers.iter().filter(|record| is_same(&record.name, name));
    records
        .filter_map(|record| {
            let ip = match (&record.rdata, family) {
                (RData::A(a), Family::V4) => std::net::Ipv4Addr::from_bits(a.address).into(),
                (RData::AAAA(aaaa), Family::V6) => std::net::Ipv6Addr::from_bits(aaaa.address).into(),
                _ => return None,
            };
            Some(DnsAddress { ip, ttl_s: record.ttl.min(longest) })
        })
        .collect()
}

/// Names are the same whatever their case.
fn is_same(one: &Name<'_>, other: &Name<'_>) -> bool {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => {}
            _ => return false,
        }
    }
}

impl Family {
    fn record(self) -> TYPE {
        match self {
            Self::V4 => TYPE::A,
            Self::V6 => TYPE::AAAA,
        }
    }
}
