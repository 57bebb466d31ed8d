//! `envoy.filters.network.echo`: sends everything back.

use bytes::BytesMut;

use crate::network::{NetworkCallbacks, NetworkFilter, NetworkFilterFactory, NetworkStatus};

/// The filter of one connection.
pub(crate) struct EchoFilter(NetworkCallbacks);

// === impl EchoFilter ===

impl EchoFilter {
    pub(crate) fn factory() -> NetworkFilterFactory {
        Box::new(|callbacks| Box::new(Self(callbacks)))
    }
}

impl NetworkFilter for EchoFilter {
    fn on_data(&mut self, data: &mut BytesMut, end_stream: bool) -> NetworkStatus {
        self.0.connection().write(std::mem::take(data), end_stream);
        NetworkStatus::Stop
    }
}
