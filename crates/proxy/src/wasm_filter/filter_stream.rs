//! A stream as the Proxy-Wasm host sees it from one filter.

use std::cell::{Ref, RefMut};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sandgate_attributes::{
    AttributeSource, Declaration, LifeSpan, MetadataOf, ResponseFlags, StateRefusal, StateValue, TlsAttribute,
};
use sandgate_filter::{FilterCallbacks, state_object};
use sandgate_host::{HttpStream, StreamMap};
use sandgate_http::{BodyBuffer, Direction, HeaderMap, LocalReply};

/// One filter's place in a stream.
pub(super) struct FilterStream {
    callbacks: FilterCallbacks,
}

impl FilterStream {
    pub(super) fn new(callbacks: FilterCallbacks) -> Self {
        Self { callbacks }
    }
}

impl HttpStream for FilterStream {
    fn map(&self, map: StreamMap) -> Option<Ref<'_, HeaderMap>> {
        let stream = self.callbacks.stream();
        match map {
            StreamMap::RequestHeaders => stream.headers(Direction::Request),
            StreamMap::RequestTrailers => stream.trailers(Direction::Request),
            StreamMap::ResponseHeaders => stream.headers(Direction::Response),
            StreamMap::ResponseTrailers => stream.trailers(Direction::Response),
        }
    }

    fn map_mut(&self, map: StreamMap) -> Option<RefMut<'_, HeaderMap>> {
        let stream = self.callbacks.stream();
        match map {
            StreamMap::RequestHeaders => stream.headers_mut(Direction::Request),
            StreamMap::RequestTrailers => stream.trailers_mut(Direction::Request),
            StreamMap::ResponseHeaders => stream.headers_mut(Direction::Response),
            StreamMap::ResponseTrailers => stream.trailers_mut(Direction::Response),
        }
    }

    fn add_trailers(&self, direction: Direction) -> bool {
        self.callbacks.add_trailers(direction)
    }

    fn buffer_body(&self, direction: Direction, data: &mut BodyBuffer) -> bool {
        let within_limit = self.callbacks.add_data(direction, data, false);
        // Over the limit, a guest in Envoy 1.40 is still shown the request's body, but not the response's.
        within_limit || (direction == Direction::Request && !self.callbacks.is_over())
    }

    fn buffered_body(&self, direction: Direction) -> Option<RefMut<'_, BodyBuffer>> {
        self.callbacks.buffered(direction)
    }

    fn resume(&self, direction: Direction) {
        self.callbacks.continue_iteration(direction);
    }

    fn close(&self, details: &str) {
        self.callbacks.reset_stream(details);
    }

    fn send_local_reply(&self, reply: LocalReply) {
        self.callbacks.send_local_reply(reply);
    }

    fn clear_route_cache(&self) {
        self.callbacks.clear_route_cache();
    }

    fn set_property(&self, key: &[u8], value: Bytes, declared: &Declaration) -> bool {
        self.callbacks.stream().info_mut().filter_state.set_property(key, value, declared).is_ok()
    }

    fn set_envoy_filter_state(&self, key: &str, value: &str, life_span: LifeSpan) -> Result<(), StateRefusal> {
        let object = state_object(key, value)?;
        self.callbacks.stream().info_mut().filter_state.set(key.as_bytes(), object, true, life_span)
    }

    fn connection_state_bytes(&self) -> usize {
        self.callbacks.stream().info().filter_state.connection_bytes()
    }
}

/// What the stream itself knows.
macro_rules! of_stream {
    ($($name:ident -> $result:ty;)*) => {
        $(
            fn $name(&self) -> $result {
                self.callbacks.stream().$name()
            }
        )*
    };
}

impl AttributeSource for FilterStream {
    of_stream! {
        request_headers -> Option<Ref<'_, HeaderMap>>;
        response_headers -> Option<Ref<'_, HeaderMap>>;
        response_trailers -> Option<Ref<'_, HeaderMap>>;
        protocol -> Option<&'static str>;
        start_time -> Option<SystemTime>;
        duration -> Option<Duration>;
        backend_latency -> Option<Duration>;
        request_body_bytes -> u64;
        response_body_bytes -> u64;
        response_code -> Option<u32>;
        response_code_details -> Option<String>;
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
        route_name -> Option<String>;
        virtual_host_name -> Option<String>;
        filter_chain_name -> Option<String>;
        listener_direction -> Option<i64>;
        node -> Option<Bytes>;
    }

    fn connection_tls(&self, of: TlsAttribute) -> Option<String> {
        self.callbacks.stream().connection_tls(of)
    }

    fn upstream_tls(&self, of: TlsAttribute) -> Option<String> {
        self.callbacks.stream().upstream_tls(of)
    }

    fn metadata(&self, of: MetadataOf) -> Option<Bytes> {
        self.callbacks.stream().metadata(of)
    }

    fn filter_state(&self, key: &[u8]) -> Option<StateValue> {
        self.callbacks.stream().filter_state(key)
    }
}
