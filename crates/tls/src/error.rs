//! What is wrong with a TLS context.

/// A certificate, key or list that cannot be used. The message is Envoy's, where Envoy has one.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("Invalid path: {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something in a file or in the configuration is not what it should be.
    #[error("{0}")]
    Invalid(String),
    /// What the configuration asks for does not go together.
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

// === impl TlsError ===

impl TlsError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}
