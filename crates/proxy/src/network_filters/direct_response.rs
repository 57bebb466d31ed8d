//! `envoy.filters.network.direct_response`: says the same to everybody, and closes.

use bytes::{Bytes, BytesMut};

use crate::network::{CloseType, NetworkCallbacks, NetworkFilter, NetworkFilterFactory, NetworkStatus};

/// The filter of one connection.
pub(crate) struct DirectResponseFilter {
    response: Bytes,
    callbacks: NetworkCallbacks,
}

// === impl DirectResponseFilter ===

impl DirectResponseFilter {
    pub(crate) fn factory(response: &Bytes) -> NetworkFilterFactory {
        let response = response.clone();
        Box::new(move |callbacks| Box::new(Self { response: response.clone(), callbacks }))
    }
}

impl NetworkFilter for DirectResponseFilter {
    fn on_new_connection(&mut self) -> NetworkStatus {
        let connection = self.callbacks.connection();
        if !self.response.is_empty() {
            connection.write(BytesMut::from(&*self.response), true);
        }
        connection.stream_info().borrow_mut().response_code_details = Some("direct_response".to_owned());
        connection.close(CloseType::FlushWrite, "");
        NetworkStatus::Stop
    }
}
