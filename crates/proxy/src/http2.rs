//! HTTP/2 over the `h2` crate.

#[expect(dead_code, reason = "the connections that use it come next")]
mod headers;
