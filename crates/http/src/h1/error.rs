//! Why a message cannot be read.

/// A message broke the protocol or a limit: the connection cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{details}")]
pub struct DecodeError {
    kind: DecodeErrorKind,
    status: u16,
    details: &'static str,
}

/// What a decode error is about. Envoy counts all of them in `downstream_cx_protocol_error` or `upstream_cx_protocol_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// Bad syntax or framing.
    Protocol,
    /// More headers or header bytes than allowed.
    TooLarge,
}

impl DecodeError {
    pub(super) const CODEC: Self = Self::bad("http1.codec_error");
    pub(super) const CONTROL: Self = Self::bad("http1.invalid_characters");
    pub(super) const URL: Self = Self::bad("http1.invalid_url");
    pub(super) const SCHEME: Self = Self::bad("http1.invalid_scheme");
    pub(super) const AUTHORITY: Self = Self::bad("http.invalid_authority");
    pub(super) const CONNECTION: Self = Self::bad("http1.connection_header_rejected");
    pub(super) const BODY_DISALLOWED: Self = Self::bad("http1.body_disallowed");
    pub(super) const LENGTH_AND_CHUNKED: Self = Self::bad("http1.content_length_and_chunked_not_allowed");
    pub(super) const TRANSFER_ENCODING: Self =
        Self::new(DecodeErrorKind::Protocol, 501, "http1.invalid_transfer_encoding");
    pub(super) const LOW_VERSION: Self = Self::new(DecodeErrorKind::Protocol, 426, "low_version");
    pub(super) const TOO_LARGE: Self = Self::new(DecodeErrorKind::TooLarge, 431, "http1.headers_too_large");
    pub(super) const TOO_MANY_HEADERS: Self = Self::new(DecodeErrorKind::TooLarge, 431, "http1.too_many_headers");

    const fn new(kind: DecodeErrorKind, status: u16, details: &'static str) -> Self {
        Self { kind, status, details }
    }

    const fn bad(details: &'static str) -> Self {
        Self::new(DecodeErrorKind::Protocol, 400, details)
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// The status a server answers with: 400, 426, 431 or 501. The body is the [reason phrase](super::reason_phrase), the connection
    /// closes.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Envoy's `%RESPONSE_CODE_DETAILS%`, such as `http1.codec_error`. (The response flag is `DPE` or `UPE`.)
    #[must_use]
    pub fn details(&self) -> &'static str {
        self.details
    }
}
