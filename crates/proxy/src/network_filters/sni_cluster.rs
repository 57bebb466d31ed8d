//! `envoy.filters.network.sni_cluster`: the server name that the client asked for is the cluster of the TCP proxy behind.

use sandgate_attributes::LifeSpan;
use sandgate_filter::state_object;

use crate::network::{NetworkCallbacks, NetworkFilter, NetworkFilterFactory, NetworkStatus};

/// The filter state by which the TCP proxy takes another cluster.
const CLUSTER: &str = "envoy.tcp_proxy.cluster";

/// The filter of one connection.
pub(crate) struct SniClusterFilter(NetworkCallbacks);

// === impl SniClusterFilter ===

impl SniClusterFilter {
    pub(crate) fn factory() -> NetworkFilterFactory {
        Box::new(|callbacks| Box::new(Self(callbacks)))
    }
}

impl NetworkFilter for SniClusterFilter {
    fn on_new_connection(&mut self) -> NetworkStatus {
        let connection = self.0.connection();
        let info = connection.info();
        if !info.requested_server_name.is_empty()
            && let Ok(value) = state_object(CLUSTER, &info.requested_server_name)
        {
            // A filter in front may have put one there that is to stay.
            let state = &mut connection.stream_info().borrow_mut().filter_state;
            let _ = state.set(CLUSTER.as_bytes(), value, true, LifeSpan::Connection);
        }
        NetworkStatus::Continue
    }
}
