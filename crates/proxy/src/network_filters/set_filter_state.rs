//! `envoy.filters.network.set_filter_state`: keeps values with a connection.

use std::rc::Rc;
use std::time::Instant;

use bytes::BytesMut;
use sandgate_attributes::LifeSpan;
use sandgate_config::model::{FilterStateValue, NetworkSetFilterState};
use sandgate_formatter::FormatContext;

use crate::network::{ConnectionEvent, NetworkCallbacks, NetworkFilter, NetworkFilterFactory, NetworkStatus};
use crate::state_filters::set_values;

/// The filter of one connection.
pub(crate) struct NetworkSetFilterStateFilter {
    config: Rc<NetworkSetFilterState>,
    callbacks: NetworkCallbacks,
    /// There is a handshake to wait for.
    secured: bool,
    has_data: bool,
}

// === impl NetworkSetFilterStateFilter ===

impl NetworkSetFilterStateFilter {
    /// `secured`: its connections have TLS.
    pub(crate) fn factory(config: &NetworkSetFilterState, secured: bool) -> NetworkFilterFactory {
        let config = Rc::new(config.clone());
        Box::new(move |callbacks| Box::new(Self { config: Rc::clone(&config), callbacks, secured, has_data: false }))
    }

    fn set(&self, values: &[FilterStateValue]) {
        if values.is_empty() {
            return;
        }
        let connection = self.callbacks.connection();
        let set = {
            let (info, stream_info) = (connection.info(), connection.stream_info().borrow());
            set_values(values, &FormatContext::new(&stream_info, &info, Instant::now()), LifeSpan::Connection)
        };
        set(&mut connection.stream_info().borrow_mut());
    }
}

impl NetworkFilter for NetworkSetFilterStateFilter {
    fn on_new_connection(&mut self) -> NetworkStatus {
        self.set(&self.config.on_new_connection);
        if !self.secured {
            self.set(&self.config.on_downstream_tls_handshake);
        }
        NetworkStatus::Continue
    }

    fn on_data(&mut self, _: &mut BytesMut, _: bool) -> NetworkStatus {
        if !self.has_data {
            self.has_data = true;
            self.set(&self.config.on_downstream_data);
        }
        NetworkStatus::Continue
    }

    fn on_event(&mut self, event: ConnectionEvent) {
        if event == ConnectionEvent::Connected {
            self.set(&self.config.on_downstream_tls_handshake);
        }
    }
}
