//! What a control plane says of a cluster's endpoints, to hosts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use sandgate_config::model::{Cluster, ClusterLoadAssignment, Endpoint, EndpointAddress};
use sandgate_load_balancing::{AssignmentPolicy, HealthFlag, Host, Locality, PrioritySet};

/// The hosts of an assignment, and what is new about them.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) hosts: PrioritySet,
    /// Priorities that hosts came to or went from.
    pub(crate) changed: usize,
    /// Hosts made.
    pub(crate) made: usize,
}

/// The hosts of `assignment`, in place of those in `old`. As in Envoy 1.40: an address that is there already stays the host it is,
/// also with another weight, status, metadata or priority; only with another locality or another way to be checked it is a new one.
/// Of two endpoints with one address the first counts. A host that is forgotten while its active checks pass stays until they fail.
pub(crate) fn assigned(cluster: &Cluster, old: &PrioritySet, assignment: &ClusterLoadAssignment) -> Assigned {
    let known: HashMap<SocketAddr, &Arc<Host>> = old.hosts.iter().map(|host| (host.address(), host)).collect();
    let mut seen = HashSet::new();
    let (mut hosts, mut weights, mut made) = (Vec::new(), Vec::new(), 0);
    for group in &assignment.localities {
        let (region, zone, sub_zone) = (group.region.clone(), group.zone.clone(), group.sub_zone.clone());
        let locality = Arc::new(Locality { region, zone, sub_zone });
        weights.push((group.priority, Arc::clone(&locality), group.load_balancing_weight));
        for endpoint in &group.endpoints {
            let EndpointAddress::Ip(address) = endpoint.address else { continue };
            if !seen.insert(address) {
                continue;
            }
            let place = Place { endpoint, address, priority: group.priority, locality: &locality };
            let kept = known.get(&address).and_then(|host| place.kept(cluster, host));
            made += usize::from(kept.is_none());
            hosts.push(kept.unwrap_or_else(|| place.new_host(cluster, known.get(&address).copied())));
        }
    }
    if cluster.health_check.is_some() {
        for host in old.hosts.iter().filter(|host| !seen.contains(&host.address())) {
            if !host.flags.has(HealthFlag::FailedActiveHc) && !host.flags.has(HealthFlag::FailedEdsHealth) {
                host.flags.set(HealthFlag::PendingDynamicRemoval);
                hosts.push(Arc::clone(host));
            }
        }
    }
    let changed = changed(&old.hosts, &hosts);
    let policy = AssignmentPolicy {
        overprovisioning_factor: assignment.overprovisioning_factor,
        weighted_priority_health: assignment.weighted_priority_health,
    };
    Assigned { hosts: PrioritySet::new(hosts, weights).with_policy(policy), changed, made }
}

/// One endpoint, and where it is.
struct Place<'a> {
    endpoint: &'a Endpoint,
    address: SocketAddr,
    priority: u32,
    locality: &'a Arc<Locality>,
}

impl Place<'_> {
    /// The host that is there already, or another version of it, unless there has to be a new one.
    fn kept(&self, cluster: &Cluster, host: &Arc<Host>) -> Option<Arc<Host>> {
        if *host.locality != **self.locality || self.checks_differ(cluster, host) {
            return None;
        }
        host.flags.clear(HealthFlag::PendingDynamicRemoval);
        let endpoint = self.endpoint;
        let same = host.weight == endpoint.weight.max(1)
            && host.priority == self.priority
            && host.configured_health == endpoint.health_status
            && host.metadata == endpoint.metadata.as_deref().unwrap_or_default()
            && host.locality_metadata == endpoint.locality_metadata;
        Some(if same { Arc::clone(host) } else { host.updated(endpoint, self.priority, self.locality) })
    }

    fn checks_differ(&self, cluster: &Cluster, host: &Host) -> bool {
        let (new, old) = (&self.endpoint.health_check, &host.health_check);
        cluster.health_check.is_some()
            && (new.disabled != old.disabled || new.address != old.address || new.port != old.port)
    }

    /// A host that is to be checked takes no requests before it has passed; of one that is only somewhere else now its health is known.
    fn new_host(&self, cluster: &Cluster, before: Option<&Arc<Host>>) -> Arc<Host> {
        let host = Host::new(self.endpoint, self.address, self.priority, self.locality, false);
        if cluster.health_check.is_none() || self.endpoint.health_check.disabled {
            return host;
        }
        if let Some(before) = before.filter(|before| !self.checks_differ(cluster, before)) {
            let flags = [HealthFlag::FailedActiveHc, HealthFlag::PendingActiveHc, HealthFlag::ActiveHcTimeout];
            flags.into_iter().filter(|flag| before.flags.has(*flag)).for_each(|flag| host.flags.set(flag));
            return host;
        }
        host.flags.set(HealthFlag::FailedActiveHc);
        if cluster.ignore_new_hosts_until_first_hc {
            host.flags.set(HealthFlag::PendingActiveHc);
        }
        host
    }
}

/// In how many priorities there are hosts that were not there, or are not there any more.
fn changed(old: &[Arc<Host>], new: &[Arc<Host>]) -> usize {
    let moved = |from: &[Arc<Host>], to: &[Arc<Host>]| -> Vec<u32> {
        let there: HashMap<_, _> = to.iter().map(|host| ((host.address(), host.priority), host)).collect();
        let gone = |host: &&Arc<Host>| !there.get(&(host.address(), host.priority)).is_some_and(|other| other.is(host));
        from.iter().filter(gone).map(|host| host.priority).collect()
    };
    moved(old, new).into_iter().chain(moved(new, old)).collect::<BTreeSet<_>>().len()
}
