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
/// Of two endpoints with one address the first counts. A host that is forgotten while its active checks pass stays until they fail, unless
/// `ignore_health_on_host_removal` says otherwise.
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
    if cluster.health_check.is_some() && !cluster.ignore_health_on_host_removal {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

    use sandgate_config::model::{HealthStatus, LocalityEndpoints, Origin};

    use super::*;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint::new(EndpointAddress::Ip(([127, 0, 0, 1], port).into()))
    }

    fn group(priority: u32, endpoints: Vec<Endpoint>) -> LocalityEndpoints {
        LocalityEndpoints { priority, endpoints, ..LocalityEndpoints::default() }
    }

    fn assignment(localities: Vec<LocalityEndpoints>) -> ClusterLoadAssignment {
        ClusterLoadAssignment {
            cluster_name: "c".into(),
            localities,
            overprovisioning_factor: 140,
            weighted_priority_health: false,
            endpoint_stale_after: None,
            origin: Origin::default(),
        }
    }

    #[test]
    fn hosts_that_come_again_stay_what_they_are() {
        let cluster = Cluster::new("c");
        let first = assigned(
            &cluster,
            &PrioritySet::default(),
            &assignment(vec![group(0, vec![endpoint(1), endpoint(2), endpoint(2)])]),
        );
        assert_eq!((first.hosts.hosts.len(), first.changed, first.made), (2, 1, 2), "of one address there is one host");
        let old = first.hosts;
        let again = assigned(&cluster, &old, &assignment(vec![group(0, vec![endpoint(1), endpoint(2)])]));
        assert!(again.hosts.is_same(&old) && again.changed == 0);
        let heavy = Endpoint { weight: 7, health_status: HealthStatus::Degraded, ..endpoint(1) };
        let moved = assignment(vec![group(0, vec![heavy]), group(1, vec![endpoint(2)])]);
        let new = assigned(&cluster, &old, &moved);
        assert!(new.hosts.hosts.iter().zip(&old.hosts).all(|(new, old)| new.is(old)) && !new.hosts.is_same(&old));
        let (one, two) = (&new.hosts.hosts[0], &new.hosts.hosts[1]);
        assert_eq!((one.weight, one.flags.has(HealthFlag::DegradedEdsHealth), two.priority), (7, true, 1));
        assert_eq!((new.changed, new.made), (2, 0), "one went from a priority to another");
        let elsewhere = LocalityEndpoints { zone: "z".into(), ..group(0, vec![endpoint(1)]) };
        let other = assigned(&cluster, &new.hosts, &assignment(vec![elsewhere]));
        assert!(!other.hosts.hosts[0].is(one), "in another place it is another host");
    }

    #[test]
    fn a_policy_is_a_change() {
        let cluster = Cluster::new("c");
        let old = assigned(&cluster, &PrioritySet::default(), &assignment(vec![group(0, vec![endpoint(1)])])).hosts;
        let wider =
            ClusterLoadAssignment { overprovisioning_factor: 100, ..assignment(vec![group(0, vec![endpoint(1)])]) };
        assert!(!assigned(&cluster, &old, &wider).hosts.is_same(&old));
    }

    #[test]
    fn what_is_forgotten_stays_while_it_passes_its_checks() {
        let text = "static_resources: {clusters: [{name: c, type: STATIC, health_checks: [{timeout: 1s, interval: 1s, \
                    unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]}]}";
        let options = sandgate_config::LoadOptions::default();
        let loaded = sandgate_config::load_str("t", text, sandgate_config::Format::Yaml, &options).unwrap();
        let cluster = loaded.bootstrap.clusters.into_iter().next().unwrap();
        let all = assignment(vec![group(0, vec![endpoint(1), endpoint(2)])]);
        let old = assigned(&cluster, &PrioritySet::default(), &all).hosts;
        assert!(old.hosts.iter().all(|host| host.flags.has(HealthFlag::FailedActiveHc)), "nobody has checked them yet");
        old.hosts[0].flags.clear(HealthFlag::FailedActiveHc);
        let none = assigned(&cluster, &old, &assignment(Vec::new()));
        let names: Vec<_> = none.hosts.hosts.iter().flat_map(|host| host.flags.names()).collect();
        assert_eq!((none.hosts.hosts.len(), names), (1, vec!["pending_dynamic_removal"]));
        let heedless = Cluster { ignore_health_on_host_removal: true, ..cluster.clone() };
        assert!(assigned(&heedless, &old, &assignment(Vec::new())).hosts.hosts.is_empty());
        let back = assigned(&cluster, &none.hosts, &all).hosts;
        assert!(back.hosts[0].is(&old.hosts[0]) && !back.hosts[0].flags.has(HealthFlag::PendingDynamicRemoval));
    }
}
