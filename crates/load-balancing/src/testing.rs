//! Hosts for tests.

#![allow(clippy::expect_used, reason = "a failed test may panic")]

use std::sync::Arc;

use sandgate_config::model::{Endpoint, EndpointAddress, HealthStatus, LbMetadata};

use crate::{Host, Locality};

/// A healthy host of priority 0 at 127.0.0.1 with this port and weight.
pub(crate) fn host(port: u16, weight: u32) -> Arc<Host> {
    host_in(port, weight, 0, "", HealthStatus::Unknown)
}

/// A host with everything that sorts hosts.
pub(crate) fn host_in(port: u16, weight: u32, priority: u32, zone: &str, health_status: HealthStatus) -> Arc<Host> {
    let address = ([127, 0, 0, 1], port).into();
    let endpoint = Endpoint { weight, health_status, ..Endpoint::new(EndpointAddress::Ip(address)) };
    let locality = Arc::new(Locality { zone: zone.into(), ..Locality::default() });
    Host::new(&endpoint, address, priority, &locality, false)
}

/// Three hosts with names, weights 1, 3 and 2, and a hash key for the third.
pub(crate) fn named_hosts() -> Vec<Arc<Host>> {
    let named = |address: &str, hostname: &str, weight, hash_key: &str| {
        let address = address.parse().expect("an address");
        let hostname = hostname.into();
        let endpoint = Endpoint {
            hostname,
            weight,
            lb_metadata: LbMetadata { hash_key: hash_key.to_owned(), ..LbMetadata::default() },
            ..Endpoint::new(EndpointAddress::Ip(address))
        };
        Host::new(&endpoint, address, 0, &Arc::default(), false)
    };
    vec![
        named("127.0.0.1:1", "one.test", 1, ""),
        named("127.0.0.2:2", "two.test", 3, ""),
        named("[::1]:3", "three.test", 2, "key-three"),
    ]
}
