//! Names to addresses: at the start, and again on the main loop.

use std::cell::OnceCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sandgate_config::model::{Cluster, Discovery, DnsLookupFamily, DnsOptions, DnsResolver, Endpoint, EndpointAddress};

use super::{ClusterEntry, PrioritySet, host_sets};
use crate::dns::Dns;

/// Resolves the address of one endpoint of a DNS cluster again and again; every endpoint has its own time, as in Envoy.
pub(crate) struct Resolver {
    config: Arc<Cluster>,
    options: DnsOptions,
    /// Of the endpoint, counted over all localities.
    index: usize,
    address: EndpointAddress,
    failures: u32,
    /// Made when it is first needed.
    dns: OnceCell<Dns>,
}

/// What a resolution changed, for stats and workers.
#[derive(Debug)]
pub(crate) struct Resolution {
    /// Whether the name was found.
    pub(crate) succeeded: bool,
    /// The hosts now, if they are others than before.
    pub(crate) hosts: Option<Arc<PrioritySet>>,
}

impl Resolver {
    /// A resolver for each endpoint of `config`; none if its addresses are given.
    pub(crate) fn all(config: &Arc<Cluster>) -> Vec<Self> {
        let options = match &config.discovery {
            Discovery::Static | Discovery::Eds(_) => return Vec::new(),
            Discovery::StrictDns(options) | Discovery::LogicalDns(options) => options,
        };
        let endpoints = config.localities.iter().flat_map(|locality| &locality.endpoints);
        let resolver = |(index, endpoint): (usize, &Endpoint)| Self {
            config: Arc::clone(config),
            options: options.clone(),
            index,
            address: endpoint.address.clone(),
            failures: 0,
            dns: OnceCell::new(),
        };
        endpoints.enumerate().map(resolver).collect()
    }

    /// The index of the endpoint, counted over all localities.
    pub(crate) fn endpoint(&self) -> usize {
        self.index
    }

    /// Looks the address up, once. A name that fails keeps what it had.
    pub(crate) async fn resolve(&mut self, entry: &ClusterEntry) -> Resolution {
        let found = self.look_up().await;
        self.failures = if found.is_some() { 0 } else { self.failures.saturating_add(1) };
        let Some(found) = found else { return Resolution { succeeded: false, hosts: None } };
        entry.set_resolved(self.index, found);
        let old = entry.hosts();
        let hosts = Arc::new(host_sets(&self.config, &old, |index| entry.resolved(index)));
        let changed = !hosts.is_same(&old);
        if changed {
            entry.set_hosts(Arc::clone(&hosts));
        }
        Resolution { succeeded: true, hosts: changed.then_some(hosts) }
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
            _ => self.options.refresh_rate + self.jitter(),
        }
    }

    fn jitter(&self) -> Duration {
        let jitter = u64::try_from(self.options.jitter.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(if jitter == 0 { 0 } else { fastrand::u64(..jitter) })
    }

    /// What there is of the wanted family; nothing if that failed.
    async fn look_up(&self) -> Option<Vec<SocketAddr>> {
        let (host, port) = match &self.address {
            EndpointAddress::Ip(address) => return Some(vec![*address]),
            EndpointAddress::Name { host, port } => (host, *port),
        };
        if let DnsResolver::Servers(servers) = &self.options.resolver {
            let dns = self.dns.get_or_init(|| Dns::new(servers));
            let found = dns.resolve(host, self.options.lookup_family).await;
            log::debug!(target: "upstream", "DNS refresh of {host}: {found:?}");
            let addresses: Vec<_> = found.ok()?.iter().map(|found| SocketAddr::new(found.ip, port)).collect();
            return self.accepted(wanted(addresses, DnsLookupFamily::All));
        }
        match tokio::net::lookup_host((host.as_str(), port)).await {
            Ok(addresses) => {
                let addresses = wanted(addresses.collect(), self.options.lookup_family);
                log::debug!(target: "upstream", "DNS refresh of {host}: {addresses:?}");
                self.accepted(addresses)
            }
            Err(error) => {
                log::debug!(target: "upstream", "DNS resolution of {host} failed: {error}");
                if is_not_found(&error) { self.accepted(Vec::new()) } else { None }
            }
        }
    }
}

impl Resolver {
    /// A name without addresses is an answer in a `STRICT_DNS` cluster, and a failure in a `LOGICAL_DNS` one (observed in
    /// Envoy 1.40).
    fn accepted(&self, addresses: Vec<SocketAddr>) -> Option<Vec<SocketAddr>> {
        let logical = matches!(self.config.discovery, Discovery::LogicalDns(_));
        (!logical || !addresses.is_empty()).then_some(addresses)
    }
}

/// Whether the name has no addresses, as far as the system's resolver says so; it has no other way than its words.
fn is_not_found(error: &std::io::Error) -> bool {
    let text = error.to_string();
    text.contains("Name or service not known") || text.contains("No address associated with hostname")
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
