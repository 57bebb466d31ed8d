//! HTTP/2 over the `h2` crate.

#[allow(dead_code, reason = "what belongs to clients' connections is used by them, which come next")]
pub(crate) mod headers;
