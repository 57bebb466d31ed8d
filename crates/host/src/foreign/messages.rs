//! Arguments and results of the functions that take messages: Envoy's `envoy.source.extensions.common.wasm`.

use sandgate_attributes::LifeSpan;

/// Fields of `VerifySignatureArguments`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct VerifySignatureArguments {
    #[prost(string, tag = "1")]
    pub(crate) hash_function: String,
    /// DER, a `SubjectPublicKeyInfo`.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) text: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) public_key_pem: String,
}

/// Fields of `VerifySignatureResult`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    pub(crate) result: bool,
    #[prost(string, tag = "2")]
    pub(crate) error: String,
}

/// Fields of `SignArguments`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SignArguments {
    #[prost(string, tag = "1")]
    pub(crate) hash_function: String,
    /// DER, a `PrivateKeyInfo`.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) private_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) text: Vec<u8>,
    #[prost(string, tag = "4")]
    pub(crate) private_key_pem: String,
}

/// Fields of `SignResult`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SignResult {
    #[prost(bool, tag = "1")]
    pub(crate) result: bool,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) signature: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(crate) error: String,
}

/// Fields of `DeclarePropertyArguments`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeclarePropertyArguments {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bool, tag = "2")]
    pub(crate) readonly: bool,
    /// `WasmType`: see [`WasmType`].
    #[prost(enumeration = "WasmType", tag = "3")]
    pub(crate) r#type: i32,
    /// The type URL of a message.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) schema: Vec<u8>,
    #[prost(enumeration = "Span", tag = "5")]
    pub(crate) span: i32,
}

/// Fields of `SetEnvoyFilterStateArguments`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SetEnvoyFilterStateArguments {
    #[prost(string, tag = "1")]
    pub(crate) path: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
    #[prost(enumeration = "Span", tag = "3")]
    pub(crate) span: i32,
}

/// What a property is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum WasmType {
    Bytes = 0,
    String = 1,
    FlatBuffers = 2,
    Protobuf = 3,
}

/// How long something lives; numbers that are none of these mean the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Span {
    FilterChain = 0,
    DownstreamRequest = 1,
    DownstreamConnection = 2,
}

impl From<Span> for LifeSpan {
    fn from(span: Span) -> Self {
        match span {
            Span::FilterChain => Self::FilterChain,
            Span::DownstreamRequest => Self::Request,
            Span::DownstreamConnection => Self::Connection,
        }
    }
}
