//! Arguments and results of the functions that take messages: Envoy's `envoy.source.extensions.common.wasm`.

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
