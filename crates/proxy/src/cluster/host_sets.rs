//! A cluster's configuration and its resolved names to hosts.

use std::net::SocketAddr;
use std::sync::Arc;

use sandgate_config::model::{Cluster, Discovery, Endpoint, EndpointAddress};
use sandgate_load_balancing::{HealthFlag, Host, Locality, PrioritySet};

/// The hosts of `cluster`, `addresses` giving what the name of an endpoint resolved to, by its index over all localities. Hosts that are in `old` already
/// stay the objects they are, with their health and their numbers. An address that is there already is another host, as in
/// Envoy 1.40 (observed).
pub(crate) fn host_sets(
    cluster: &Cluster,
    old: &PrioritySet,
    addresses: impl Fn(usize) -> Vec<SocketAddr>,
) -> PrioritySet {
    let logical = matches!(cluster.discovery, Discovery::LogicalDns(_));
    let mut hosts: Vec<Arc<Host>> = Vec::new();
    let mut weights = Vec::new();
    let mut index = 0;
    let is_static = matches!(cluster.discovery, Discovery::Static);
    for group in &cluster.localities {
        let (region, zone, sub_zone) = (group.region.clone(), group.zone.clone(), group.sub_zone.clone());
        let locality = Arc::new(Locality { region, zone, sub_zone });
        weights.push((group.priority, Arc::clone(&locality), group.load_balancing_weight));
        for endpoint in &group.endpoints {
            let found = match &endpoint.address {
                EndpointAddress::Ip(address) if is_static => vec![*address],
                EndpointAddress::Ip(_) | EndpointAddress::Name { .. } => addresses(index),
            };
            index += 1;
            if logical {
                let Some(address) = found.first() else { continue };
                // The one host of a logical cluster keeps its connections when it moves.
                let known = old.hosts.first().cloned();
                let host = known.unwrap_or_else(|| new_host(cluster, endpoint, *address, group.priority, &locality));
                host.move_to(*address);
                hosts.push(host);
                continue;
            }
            for address in found {
                let same = |host: &&Arc<Host>| {
                    host.address() == address && host.locality == locality && host.priority == group.priority
                };
                let is_free = |host: &&Arc<Host>| !hosts.iter().any(|taken| Arc::ptr_eq(taken, host));
                let known = old.hosts.iter().filter(same).find(is_free).cloned();
                hosts.push(known.unwrap_or_else(|| new_host(cluster, endpoint, address, group.priority, &locality)));
            }
        }
    }
    PrioritySet::new(hosts, weights)
}

/// A host that is to be checked takes no requests before it has passed.
fn new_host(
    cluster: &Cluster,
    endpoint: &Endpoint,
    address: SocketAddr,
    priority: u32,
    locality: &Arc<Locality>,
) -> Arc<Host> {
    let logical = matches!(cluster.discovery, Discovery::LogicalDns(_));
    let host = Host::new(endpoint, address, priority, locality, logical);
    if cluster.health_check.is_some() && !endpoint.health_check.disabled {
        host.flags.set(HealthFlag::FailedActiveHc);
        if cluster.ignore_new_hosts_until_first_hc && !matches!(cluster.discovery, Discovery::Static) {
            host.flags.set(HealthFlag::PendingActiveHc);
        }
    }
    host
}
