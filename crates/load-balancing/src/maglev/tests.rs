//! Tables as Envoy 1.40 logs them at level trace.

use sandgate_config::model::{ConsistentHashing, HealthStatus, LbPolicy, LoadBalancing, Maglev};

use crate::priority_load::PriorityState;
use crate::testing::{host, host_in, named_hosts};
use crate::{HashTables, Host, PrioritySet};

/// The last digit of the port of the host at each place of the table.
fn table(hosts: Vec<std::sync::Arc<Host>>, table_size: u64, names: bool, by_locality: bool) -> String {
    let weights = vec![(0, hosts[0].locality.clone(), 1), (0, hosts[hosts.len() - 1].locality.clone(), 2)];
    let set = PrioritySet::new(hosts, if by_locality { weights } else { Vec::new() });
    let hashing =
        ConsistentHashing { use_hostname_for_hashing: names, hash_balance_factor: 0, ..ConsistentHashing::default() };
    let config = LoadBalancing {
        policy: LbPolicy::Maglev(Maglev { table_size, hashing }),
        locality_weighted: by_locality,
        ..LoadBalancing::default()
    };
    let tables = HashTables::new(&set, &config, &PriorityState::new(&set, &config, 50));
    let port = |hash| tables.choose(&set, hash, 0).host.map_or(0, |index| set.hosts[index].address().port());
    (0..table_size).map(|hash| port(hash).to_string()).collect()
}

#[test]
fn equal_weights() {
    assert_eq!(table(vec![host(1, 1), host(2, 1), host(3, 1)], 31, false, false), "1313113122231212223321233313121");
    assert_eq!(table(vec![host(3, 5), host(1, 5), host(2, 5)], 31, false, false), "1313113122231212223321233313121");
}

#[test]
fn weights_and_keys() {
    assert_eq!(table(named_hosts(), 31, false, false), "1322132121321332223322332213222");
    assert_eq!(table(named_hosts(), 17, true, false), "32221123332322321");
}

#[test]
fn locality_weights() {
    let near = |port| host_in(port, 1, 0, "a", HealthStatus::Unknown);
    let far = host_in(4, 1, 0, "b", HealthStatus::Unknown);
    assert_eq!(table(vec![near(1), near(2), near(3), far], 31, false, true), "1343444422421414424344444413444");
}

#[test]
fn another_attempt_takes_another_place() {
    let set = PrioritySet::new(vec![host(1, 1), host(2, 1), host(3, 1)], Vec::new());
    let config = LoadBalancing { policy: LbPolicy::Maglev(Maglev::default()), ..LoadBalancing::default() };
    let tables = HashTables::new(&set, &config, &PriorityState::new(&set, &config, 50));
    let stats = tables.stats();
    assert_eq!((stats.size, stats.min_per_host, stats.max_per_host), (65537, 21845, 21846));
    let chosen: std::collections::HashSet<_> = (0..16).map(|attempt| tables.choose(&set, 7, attempt).host).collect();
    assert_eq!(chosen.len(), 3);
    assert_eq!(tables.choose(&PrioritySet::default(), 7, 0).host, tables.choose(&set, 7, 0).host);
}
