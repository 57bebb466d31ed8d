//! Names to addresses, asked of name servers directly: the system's own resolver tells no times to live.

mod exchange;
mod message;
mod system;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sandgate_config::model::{DnsLookupFamily, NameServers};
use sandgate_host::DnsAddress;

use message::Answer;
use simple_dns::RCODE;
use system::{Hosts, ResolvConf};

/// A stub resolver. It keeps nothing of what it is told.
#[derive(Debug)]
pub(crate) struct Dns {
    servers: Vec<SocketAddr>,
    /// Domains to look names up in that have fewer dots than `ndots`.
    search: Vec<String>,
    ndots: usize,
    /// How long each try waits for its answer.
    timeout: Duration,
    /// How often every server is asked.
    tries: u32,
    /// Ask over TCP at once.
    use_tcp: bool,
    hosts: Hosts,
}

/// Why a name has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DnsError {
    #[error("the name cannot be one of a host")]
    BadName,
    #[error("no name server has answered")]
    NoAnswer,
    #[error("the name server answered {0:?}")]
    Refused(RCODE),
}

/// One of the two kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Dns {
    /// As `config` says, and for the rest as the system is configured now.
    pub(crate) fn new(config: &NameServers) -> Self {
        Self::with_files(config, &ResolvConf::load(), Hosts::load())
    }

    fn with_files(config: &NameServers, system: &ResolvConf, hosts: Hosts) -> Self {
        let systems = config.servers.is_empty() || (config.as_fallback && system.names_servers());
        Self {
            servers: if systems { system.servers() } else { config.servers.clone() },
            search: if config.no_search { Vec::new() } else { system.search.clone() },
            ndots: system.ndots,
            timeout: config.query_timeout.unwrap_or(system.timeout),
            tries: config.query_tries.unwrap_or(system.tries),
            use_tcp: config.use_tcp || system.use_tcp,
            hosts,
        }
    }

    /// The addresses of a host; none if the name is unknown or has none of the family. An address as it is stands for itself.
    ///
    /// # Errors
    /// Nobody can say.
    pub(crate) async fn resolve(&self, name: &str, family: DnsLookupFamily) -> Result<Vec<DnsAddress>, DnsError> {
        let (first, second) = match family {
            DnsLookupFamily::V4Only => return self.of_family(name, Family::V4).await,
            DnsLookupFamily::V6Only => return self.of_family(name, Family::V6).await,
            DnsLookupFamily::Auto => (Family::V6, Family::V4),
            DnsLookupFamily::V4Preferred | DnsLookupFamily::All => (Family::V4, Family::V6),
        };
        let found = self.of_family(name, first).await;
        if family != DnsLookupFamily::All && found.as_ref().is_ok_and(|found| !found.is_empty()) {
            return found;
        }
        match (found, self.of_family(name, second).await) {
            (Ok(mut found), Ok(others)) => {
                found.extend(others);
                Ok(found)
            }
            (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
            (Err(_), Err(error)) => Err(error),
        }
    }

    async fn of_family(&self, name: &str, family: Family) -> Result<Vec<DnsAddress>, DnsError> {
        if let Some(known) = self.known(name, family) {
            return Ok(known);
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/*".contains(&byte)) {
            return Err(DnsError::BadName);
        }
        for candidate in self.candidates(name) {
            let found = self.ask(&candidate, family).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// What needs no name server: addresses, this host, and the file of hosts.
    fn known(&self, name: &str, family: Family) -> Option<Vec<DnsAddress>> {
        let forever = |ip| DnsAddress { ip, ttl_s: 0 };
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Some(if family.is_of(ip) { vec![forever(ip)] } else { Vec::new() });
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            // RFC 6761 section 6.3; whatever the file says (as Envoy's resolver).
            return Some(vec![forever(match family {
                Family::V4 => Ipv4Addr::LOCALHOST.into(),
                Family::V6 => Ipv6Addr::LOCALHOST.into(),
            })]);
        }
        let found: Vec<_> = self.hosts.get(&name).filter(|ip| family.is_of(*ip)).map(forever).collect();
        (!found.is_empty()).then_some(found)
    }

    /// Under which names to ask, one after the other.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut all: Vec<_> = self.search.iter().map(|domain| format!("{name}.{domain}")).collect();
        let as_it_is = if name.matches('.').count() >= self.ndots { 0 } else { all.len() };
        all.insert(as_it_is, name.to_owned());
        all
    }

    /// Asks one server after the other, and all of them again, until one knows.
    async fn ask(&self, name: &str, family: Family) -> Result<Vec<DnsAddress>, DnsError> {
        let mut failure = DnsError::NoAnswer;
        for _ in 0..self.tries {
            for server in &self.servers {
                match exchange::ask(*server, name, family, self.timeout, self.use_tcp).await {
                    Ok(Answer::Addresses(found)) => return Ok(found),
                    Ok(Answer::Refused(code)) => failure = DnsError::Refused(code),
                    Ok(Answer::Truncated) | Err(exchange::Failure::NoAnswer) => {}
                    Err(exchange::Failure::BadName) => return Err(DnsError::BadName),
                }
            }
        }
        Err(failure)
    }
}

impl Family {
    fn is_of(self, ip: IpAddr) -> bool {
        ip.is_ipv6() == (self == Self::V6)
    }
}

#[cfg(test)]
mod tests;
