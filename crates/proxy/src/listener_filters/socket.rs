//! A connection that has no filter chain yet.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use sandgate_config::model::ConnectionFacts;

use crate::transport::Tcp;

/// A connection that was accepted, and what is known of it.
pub(crate) struct AcceptedSocket {
    pub(crate) tcp: Tcp,
    /// The address that the client connected to, as far as it is known.
    pub(crate) local: Option<SocketAddr>,
    /// Ours of the socket.
    pub(crate) direct_local: Option<SocketAddr>,
    /// The client.
    pub(crate) remote: SocketAddr,
    /// The peer of the socket.
    pub(crate) direct_remote: SocketAddr,
    /// In lower case; empty if none was seen.
    pub(crate) server_name: Arc<str>,
    /// Empty if none was detected.
    pub(crate) transport_protocol: &'static str,
    /// That the client asks for, in its order.
    pub(crate) application_protocols: Vec<Box<str>>,
    /// Dynamic metadata: namespace, key and text.
    pub(crate) metadata: Vec<(Box<str>, Box<str>, String)>,
}

// === impl AcceptedSocket ===

impl AcceptedSocket {
    pub(crate) fn new(tcp: Tcp, local: Option<SocketAddr>, peer: SocketAddr) -> Self {
        let local = local.or_else(|| tcp.local_addr());
        Self {
            tcp,
            local,
            direct_local: local,
            remote: peer,
            direct_remote: peer,
            server_name: Arc::default(),
            transport_protocol: "",
            application_protocols: Vec::new(),
            metadata: Vec::new(),
        }
    }

    /// What a filter chain is chosen by.
    pub(crate) fn facts(&self) -> ConnectionFacts<'_> {
        let none = if self.remote.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        ConnectionFacts {
            local: self.local.unwrap_or(none),
            remote: self.remote,
            direct_remote: self.direct_remote,
            server_name: &self.server_name,
            transport_protocol: if self.transport_protocol.is_empty() { "raw_buffer" } else { self.transport_protocol },
            application_protocols: &self.application_protocols,
        }
    }

    /// The dynamic metadata, serialized; empty if there is none.
    pub(crate) fn metadata(&self) -> Bytes {
        let mut metadata = Metadata::default();
        for (namespace, key, text) in &self.metadata {
            let fields = &mut metadata.filter_metadata.entry(namespace.to_string()).or_default().fields;
            fields.insert(key.to_string(), Value { kind: Some(Kind::StringValue(text.clone())) });
        }
        metadata.encode_to_vec().into()
    }

    /// Keeps metadata, unless there is a value already.
    pub(super) fn set_metadata(&mut self, namespace: &str, key: &str, value: &str) {
        let same = |(of, known, _): &(Box<str>, Box<str>, String)| &**of == namespace && &**known == key;
        if !self.metadata.iter().any(same) {
            self.metadata.push((namespace.into(), key.into(), value.to_owned()));
        }
    }
}

/// Envoy's `envoy.config.core.v3.Metadata`.
#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
}
