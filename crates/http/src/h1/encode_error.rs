//! Why a message cannot be written.

/// A head that must not go out. The text is Envoy's, which it sends as body of its 503 for requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A pseudo header that the first line needs is missing.
    #[error("missing required header: {0}")]
    MissingHeader(&'static str),
    /// A name is no token.
    #[error("invalid header name: {0}")]
    InvalidName(String),
    /// A value has CR, LF or NUL. Names the header.
    #[error("invalid header value for: {0}")]
    InvalidValue(String),
}
