//! TLS without sockets: what connections of either side are set up with, and what is told of them.
#![forbid(unsafe_code)]

mod certificate;
mod info;

pub use certificate::{SanKind, certificate_info, subject_alternative_name};
pub use info::{HandshakeFacts, cipher_name, group_name, tls_info, version_name};
