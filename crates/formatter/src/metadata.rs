//! `%DYNAMIC_METADATA(namespace:key:…)%` and its like.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::format::Rendered;
use crate::json_text;
use crate::operator::text;
use crate::{FormatContext, FormatError};

/// Whose metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetadataOf {
    Dynamic,
    Cluster,
    UpstreamHost,
    Route,
    VirtualHost,
    Listener,
    /// Envoy has it; configurations with such metadata are refused here.
    FilterChain,
}

/// A value in metadata.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    of: MetadataOf,
    namespace: String,
    path: Vec<String>,
}

/// `envoy.config.core.v3.Metadata`, as far as it is of interest.
#[derive(Clone, PartialEq, prost::Message)]
struct MetadataMessage {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, Struct>,
}

// === impl Metadata ===

impl Metadata {
    pub(crate) fn new(of: MetadataOf, parameters: &str) -> Self {
        let mut path = parameters.split(':').map(str::to_owned);
        Self { of, namespace: path.next().unwrap_or_default(), path: path.collect() }
    }

    /// `TYPE:namespace:key:…`.
    pub(crate) fn parse_typed(parameters: &str) -> Result<Self, FormatError> {
        let (kind, rest) = parameters.split_once(':').unwrap_or((parameters, ""));
        let of = match kind {
            "DYNAMIC" => MetadataOf::Dynamic,
            "CLUSTER" => MetadataOf::Cluster,
            "ROUTE" => MetadataOf::Route,
            "VIRTUAL_HOST" => MetadataOf::VirtualHost,
            "UPSTREAM_HOST" => MetadataOf::UpstreamHost,
            "LISTENER" => MetadataOf::Listener,
            "LISTENER_FILTER_CHAIN" => MetadataOf::FilterChain,
            other => {
                return Err(FormatError::Parameter(format!("{other} is not supported type of metadata")));
            }
        };
        Ok(Self::new(of, rest))
    }

    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let bytes = self.bytes(context);
        if bytes.is_empty() {
            return Rendered::Absent;
        }
        let Ok(mut message) = MetadataMessage::decode(bytes.clone()) else { return Rendered::Absent };
        let Some(root) = message.filter_metadata.remove(&self.namespace) else { return Rendered::Absent };
        let mut value = Value { kind: Some(Kind::StructValue(root)) };
        for key in &self.path {
            let Some(Kind::StructValue(mut fields)) = value.kind else { return Rendered::Absent };
            let Some(inner) = fields.fields.remove(key) else { return Rendered::Absent };
            value = inner;
        }
        match value.kind {
            None | Some(Kind::NullValue(_)) => Rendered::Absent,
            Some(Kind::StringValue(string)) => text(out, string.as_bytes()),
            Some(_) => {
                json_text::value(&value, out);
                Rendered::Json
            }
        }
    }

    fn bytes<'a>(&self, context: &FormatContext<'a>) -> &'a Bytes {
        static NONE: Bytes = Bytes::new();
        let info = context.info;
        match self.of {
            MetadataOf::Dynamic => &info.dynamic_metadata,
            MetadataOf::Cluster => &info.upstream.cluster_metadata,
            MetadataOf::UpstreamHost => &info.upstream.host_metadata,
            MetadataOf::Route => &info.route_metadata,
            MetadataOf::VirtualHost => &info.virtual_host_metadata,
            MetadataOf::Listener => &context.connection.listener.metadata,
            MetadataOf::FilterChain => &NONE,
        }
    }
}
