//! What a header map belongs to.

use super::inline;

/// What a header map belongs to. It decides which headers are joined when they come twice: Envoy keeps a fixed set of headers of each
/// kind "inline", in one value each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeaderMapKind {
    /// Request trailers, and anything else: no header is inline.
    #[default]
    Plain,
    /// Request headers. `host` is another name of `:authority`.
    Request,
    /// Response headers.
    Response,
    /// Response trailers.
    ResponseTrailers,
}

impl HeaderMapKind {
    /// The name under which `name` is kept.
    pub(super) fn canonical(self, name: &[u8]) -> &[u8] {
        if self == Self::Request && name.len() == 4 && name.eq_ignore_ascii_case(b"host") {
            b":authority"
        } else {
            name
        }
    }

    /// Whether `name` (any case) is kept in one value.
    pub(super) fn is_inline(self, name: &[u8]) -> bool {
        let names = match self {
            Self::Plain => return false,
            Self::Request => inline::REQUEST,
            Self::Response => inline::RESPONSE,
            Self::ResponseTrailers => inline::RESPONSE_TRAILERS,
        };
        names.iter().any(|inline| inline.as_bytes().eq_ignore_ascii_case(name))
    }
}
