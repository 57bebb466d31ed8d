//! What the system's files say of name servers and hosts. Lines that cannot be read are passed over, as by other resolvers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Of a name server, unless its line has another.
const PORT: u16 = 53;
/// The most that an option counts for.
const MOST_TRIES: u32 = 5;
const LONGEST_TIMEOUT_S: u64 = 30;

/// `/etc/resolv.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResolvConf {
    servers: Vec<SocketAddr>,
    pub(super) search: Vec<String>,
    pub(super) ndots: usize,
    pub(super) timeout: Duration,
    pub(super) tries: u32,
    pub(super) use_tcp: bool,
}

/// `/etc/hosts`: addresses by names in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(HashMap<String, Vec<IpAddr>>);

// === impl ResolvConf ===

impl Default for ResolvConf {
    /// Times are those of Envoy's resolver.
    fn default() -> Self {
        let timeout = Duration::from_secs(2);
        Self { servers: Vec::new(), search: Vec::new(), ndots: 1, timeout, tries: 3, use_tcp: false }
    }
}

impl ResolvConf {
    pub(super) fn load() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split(['#', ';']).next().unwrap_or_default().split_whitespace();
            match words.next() {
                Some("nameserver") => found.servers.extend(words.next().and_then(server)),
                Some("search" | "domain") => {
                    found.search = words.map(|domain| domain.trim_end_matches('.').to_owned()).collect();
                }
                Some("options") => words.for_each(|option| found.option(option)),
                _ => {}
            }
        }
        found.search.retain(|domain| !domain.is_empty());
        found
    }

    fn option(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        let number = value.parse::<u32>().ok();
        match (name, number) {
            ("ndots", Some(number)) => self.ndots = number as usize,
            ("timeout" | "retrans", Some(seconds @ 1..)) => {
                self.timeout = Duration::from_secs(u64::from(seconds).min(LONGEST_TIMEOUT_S));
            }
            ("attempts" | "retry", Some(tries @ 1..)) => self.tries = tries.min(MOST_TRIES),
            ("use-vc" | "usevc" | "tcp", _) => self.use_tcp = true,
            _ => {}
        }
    }

    /// Whether it says whom to ask.
    pub(super) fn names_servers(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Whom to ask; this host if nobody is named.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        if self.names_servers() { self.servers.clone() } else { vec![(Ipv4Addr::LOCALHOST, PORT).into()] }
    }
}

/// An address, alone or with a port.
fn server(text: &str) -> Option<SocketAddr> {
    let alone = text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, PORT));
    alone.or_else(|| text.parse().ok())
}

// === impl Hosts ===

impl Hosts {
    pub(super) fn load() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/hosts").unwrap_or_default())
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(ip) = words.next().and_then(|word| word.parse().ok()) else { continue };
            for name in words {
                found.0.entry(name.to_ascii_lowercase()).or_default().push(ip);
            }
        }
        found
    }

    /// The addresses of a name in lower case, in the order of the file.
    pub(super) fn get(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        self.0.get(name).into_iter().flatten().copied()
    }
}
