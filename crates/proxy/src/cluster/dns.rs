//! Names to addresses: at the start, and again on the main loop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sandgate_config::model::{Cluster, Discovery, DnsLookupFamily, DnsOptions, EndpointAddress};

use super::manager::ClusterEntry;
use super::{PrioritySet, host_sets};

/// What a round of lookups of one cluster gave.
struct Round {
    found: Vec<((String, u16), Vec<SocketAddr>)>,
    failed: bool,
}

/// Resolves one DNS cluster again and again.
pub(crate) struct Resolver {
    config: Arc<Cluster>,
    options: DnsOptions,
    /// What was found last, by name: a name that fails keeps what it had.
    known: Vec<((String, u16), Vec<SocketAddr>)>,
    failures: u32,
}

/// What a resolution changed, for stats and workers.
#[derive(Debug)]
pub(crate) struct Resolution {
    /// Whether every name was found.
    pub(crate) succeeded: bool,
    /// The hosts now, if they are others than before.
    pub(crate) hosts: Option<Arc<PrioritySet>>,
}

impl Resolver {
    /// A resolver for `config`, or nothing if its addresses are given.
    pub(crate) fn new(config: &Arc<Cluster>) -> Option<Self> {
        let options = match &config.discovery {
            Discovery::Static => return None,
            Discovery::StrictDns(options) | Discovery::LogicalDns(options) => options.clone(),
        };
        Some(Self { config: Arc::clone(config), options, known: Vec::new(), failures: 0 })
    }

    /// Looks all names up, once.
    pub(crate) async fn resolve(&mut self, entry: &ClusterEntry) -> Resolution {
        let round = self.look_up().await;
        self.failures = if round.failed { self.failures.saturating_add(1) } else { 0 };
        for (name, addresses) in round.found {
            match self.known.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = addresses,
                None => self.known.push((name, addresses)),
            }
        }
        let old = entry.hosts();
        let hosts = Arc::new(host_sets(&self.config, &old, |host, port| {
            let known = self.known.iter().find(|((name, p), _)| name == host && *p == port);
            known.map(|(_, addresses)| addresses.clone()).unwrap_or_default()
        }));
        let changed = !hosts.is_same(&old);
        if changed {
            entry.set_hosts(Arc::clone(&hosts));
        }
        Resolution { succeeded: !round.failed, hosts: changed.then_some(hosts) }
    }

    /// How long to wait before the next time.
    pub(crate) fn delay(&self) -> Duration {
        match self.options.failure_refresh_rate {
            Some((base, max)) if self.failures > 0 => {
                // Jittered exponential backoff, as Envoy's: random below base × 2^n, capped.
                let factor = 1u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX);
                let ceiling = base.saturating_mul(factor).min(max).max(Duration::from_millis(1));
                Duration::from_millis(fastrand::u64(..=u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX)))
            }
            _ => self.options.refresh_rate,
        }
    }

    async fn look_up(&self) -> Round {
        let mut round = Round { found: Vec::new(), failed: false };
        for endpoint in self.config.localities.iter().flat_map(|locality| &locality.endpoints) {
            let EndpointAddress::Name { host, port } = &endpoint.address else { continue };
            match tokio::net::lookup_host((host.as_str(), *port)).await {
                Ok(addresses) => {
                    let addresses = wanted(addresses.collect(), self.options.lookup_family);
                    log::debug!(target: "upstream", "DNS refresh of {host}: {addresses:?}");
                    round.failed |= addresses.is_empty();
                    round.found.push(((host.clone(), *port), addresses));
                }
                Err(error) => {
                    log::debug!(target: "upstream", "DNS resolution of {host} failed: {error}");
                    round.failed = true;
                }
            }
        }
        round
    }
}

/// The addresses of the wanted family, without duplicates, in the order of the answer.
fn wanted(addresses: Vec<SocketAddr>, family: DnsLookupFamily) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let only = |v6: bool| unique.iter().copied().filter(|a| a.is_ipv6() == v6).collect::<Vec<_>>();
    let (v4, v6) = (only(false), only(true));
    match family {
        DnsLookupFamily::V4Only => v4,
        DnsLookupFamily::V6Only => v6,
        DnsLookupFamily::V4Preferred => {
            if v4.is_empty() {
                v6
            } else {
                v4
            }
        }
        DnsLookupFamily::Auto => {
            if v6.is_empty() {
                v4
            } else {
                v6
            }
        }
        DnsLookupFamily::All => unique,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        let v4: SocketAddr = ([127, 0, 0, 1], 1).into();
        let v6: SocketAddr = ([0, 0, 0, 0, 0, 0, 0, 1], 1).into();
        let both = || vec![v4, v6, v4];
        assert_eq!(wanted(both(), DnsLookupFamily::Auto), [v6]);
        assert_eq!(wanted(vec![v4], DnsLookupFamily::Auto), [v4]);
        assert_eq!(wanted(both(), DnsLookupFamily::V4Only), [v4]);
        assert_eq!(wanted(both(), DnsLookupFamily::V6Only), [v6]);
        assert_eq!(wanted(both(), DnsLookupFamily::V4Preferred), [v4]);
        assert_eq!(wanted(vec![v6], DnsLookupFamily::V4Preferred), [v6]);
        assert_eq!(wanted(both(), DnsLookupFamily::All), [v4, v6]);
    }
}
