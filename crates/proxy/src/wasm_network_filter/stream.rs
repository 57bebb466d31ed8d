//! A connection as the Proxy-Wasm host sees it from one filter.

use std::cell::RefMut;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use sandgate_attributes::{
    AttributeSource, Declaration, LifeSpan, MetadataOf, ResponseFlags, StateRefusal, StateValue, TlsAttribute,
};
use sandgate_filter::{ConnectionAttributes, state_object};
use sandgate_host::{NetworkSide, NetworkStream};

use crate::network::{CloseType, NetworkCallbacks};

/// One filter's place in a connection.
pub(super) struct FilterConnection {
    callbacks: NetworkCallbacks,
}

impl FilterConnection {
    pub(super) fn new(callbacks: NetworkCallbacks) -> Self {
        Self { callbacks }
    }

    fn attributes(&self) -> ConnectionAttributes {
        let connection = self.callbacks.connection();
        ConnectionAttributes::new(connection.info(), Rc::clone(connection.stream_info()))
    }
}

impl NetworkStream for FilterConnection {
    fn stopped_data(&self, side: NetworkSide) -> Option<RefMut<'_, BytesMut>> {
        let connection = self.callbacks.connection();
        match side {
            NetworkSide::Downstream => connection.stopped_input(),
            NetworkSide::Upstream => connection.stopped_output(),
        }
    }

    fn continue_reading(&self) {
        self.callbacks.continue_reading();
    }

    fn close(&self, details: &str) {
        self.callbacks.connection().close(CloseType::FlushWrite, details);
    }

    fn set_property(&self, key: &[u8], value: Bytes, declared: &Declaration) -> bool {
        let connection = self.callbacks.connection().info();
        connection.filter_state.borrow_mut().set_property(key, value, declared).is_ok()
    }

    fn set_envoy_filter_state(&self, key: &str, value: &str, life_span: LifeSpan) -> Result<(), StateRefusal> {
        let object = state_object(key, value)?;
        let connection = self.callbacks.connection().info();
        connection.filter_state.borrow_mut().set(key.as_bytes(), object, true, life_span)
    }
}

macro_rules! of_connection {
    ($($name:ident -> $result:ty;)*) => {
        $(
            fn $name(&self) -> $result {
                self.attributes().$name()
            }
        )*
    };
}

impl AttributeSource for FilterConnection {
    of_connection! {
        protocol -> Option<&'static str>;
        start_time -> Option<SystemTime>;
        request_body_bytes -> u64;
        response_body_bytes -> u64;
        response_flags -> ResponseFlags;
        downstream_remote_address -> Option<SocketAddr>;
        downstream_local_address -> Option<SocketAddr>;
        connection_id -> Option<u64>;
        mtls -> bool;
        requested_server_name -> String;
        connection_termination_details -> Option<String>;
        connection_transport_failure_reason -> Option<String>;
        upstream_transport_failure_reason -> Option<String>;
        upstream_address -> Option<SocketAddr>;
        upstream_local_address -> Option<SocketAddr>;
        upstream_request_attempt_count -> u32;
        upstream_pool_ready -> Option<Duration>;
        upstream_locality -> Option<Bytes>;
        has_upstream_filter_state -> bool;
        cluster_name -> Option<String>;
        cluster_endpoints -> Option<u64>;
        filter_chain_name -> Option<String>;
        listener_direction -> Option<i64>;
        node -> Option<Bytes>;
    }

    fn connection_tls(&self, of: TlsAttribute) -> Option<String> {
        self.attributes().connection_tls(of)
    }

    fn upstream_tls(&self, of: TlsAttribute) -> Option<String> {
        self.attributes().upstream_tls(of)
    }

    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        self.attributes().metadata(of)
    }

    fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
        self.attributes().filter_state(key)
    }
}
