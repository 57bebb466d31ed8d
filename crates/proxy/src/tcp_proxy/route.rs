//! Where a connection goes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sandgate_attributes::StateValue;
use sandgate_config::model::{MetadataCriteria, TcpClusters, TcpHashPolicy, TcpProxy};
use sandgate_filter::{ConnectionInfo, FilterState};
use xxhash_rust::xxh64::xxh64;

/// The filter state object that names the cluster of a connection.
const CLUSTER_KEY: &[u8] = b"envoy.tcp_proxy.cluster";
/// The one that says how long it may be idle.
const IDLE_TIMEOUT_KEY: &[u8] = b"envoy.tcp_proxy.per_connection_idle_timeout_ms";

/// The cluster of a connection, and what is asked of its hosts, `random` being any number. The object counts where one cluster
/// is configured, as in Envoy.
pub(super) fn cluster<'a>(
    config: &'a TcpProxy,
    state: &FilterState,
    random: u64,
) -> (String, Option<&'a Arc<MetadataCriteria>>) {
    let of_all = config.metadata_match.as_ref();
    match &config.clusters {
        TcpClusters::One(name) => (one(name, state), of_all),
        TcpClusters::Weighted(clusters) => {
            let sum: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
            let mut left = random.checked_rem(sum).unwrap_or(0);
            for cluster in clusters {
                match left.checked_sub(cluster.weight.into()) {
                    Some(rest) => left = rest,
                    None => return (cluster.name.as_ref().to_owned(), cluster.metadata_match.as_ref()),
                }
            }
            (String::new(), of_all)
        }
    }
}

fn one(name: &str, state: &FilterState) -> String {
    match state.get(CLUSTER_KEY) {
        Some(StateValue::Hidden(name)) => String::from_utf8_lossy(&name).into_owned(),
        Some(object) => object.text().map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default(),
        None => name.to_owned(),
    }
}

/// How long the connection may be idle, if a filter has said so.
pub(super) fn own_idle_timeout(connection: &ConnectionInfo) -> Option<Duration> {
    let object = connection.filter_state.borrow().get(IDLE_TIMEOUT_KEY)?;
    let text = object.text()?;
    std::str::from_utf8(&text).ok()?.parse().ok().map(Duration::from_millis)
}

/// What load balancers that hash go by: of the first policy, as in Envoy.
pub(super) fn hash(policies: &[TcpHashPolicy], connection: &ConnectionInfo) -> Option<u64> {
    match policies.first()? {
        TcpHashPolicy::SourceIp => connection.remote_address.map(|address| of_ip(&address)),
        TcpHashPolicy::FilterState(key) => {
            let object = connection.filter_state.borrow().get(key)?;
            object.text().map(|text| xxh64(&text, 0))
        }
    }
}

fn of_ip(address: &SocketAddr) -> u64 {
    xxh64(address.ip().to_string().as_bytes(), 0)
}

#[cfg(test)]
mod tests {
    use sandgate_config::model::{BackOff, TcpClusterWeight};

    use super::*;

    fn proxy(clusters: TcpClusters) -> TcpProxy {
        TcpProxy {
            stat_prefix: String::new(),
            clusters,
            metadata_match: None,
            idle_timeout: None,
            max_connection_duration: None,
            max_connect_attempts: 1,
            back_off: None::<BackOff>,
            access_logs: Vec::new(),
            access_log_options: Default::default(),
            hash_policies: Vec::new(),
        }
    }

    #[test]
    fn weights_share_out() {
        let weight = |name: &str, weight| TcpClusterWeight { name: name.into(), weight, metadata_match: None };
        let proxy = proxy(TcpClusters::Weighted(vec![weight("a", 1), weight("b", 3)]));
        let chosen: Vec<_> = (0..5).map(|random| cluster(&proxy, &FilterState::default(), random).0).collect();
        assert_eq!(chosen, ["a", "b", "b", "b", "a"]);
    }

    #[test]
    fn a_connection_may_have_its_own_cluster() {
        let proxy = proxy(TcpClusters::One("a".into()));
        let mut state = FilterState::default();
        assert_eq!(cluster(&proxy, &state, 7).0, "a");
        let value = StateValue::Hidden("b".into());
        assert!(state.set(CLUSTER_KEY, value, false, sandgate_attributes::LifeSpan::Connection).is_ok());
        assert_eq!(cluster(&proxy, &state, 7).0, "b");
    }
}
