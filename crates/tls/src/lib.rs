//! TLS without sockets: what connections of either side are set up with, and what is told of them.
//!
//! A [`ServerContext`] or a [`ClientContext`] is made of a configuration and the files it names, all at once, and never changes; when the
//! files do, another takes its place. Connections ask it for their rustls configuration, and tell with [`Failure`] in Envoy's words why a
//! handshake failed. What a check of the peer's certificate has found is left in [`outcome`].
#![forbid(unsafe_code)]

mod certificate;
mod client;
mod error;
mod failure;
mod hkdf;
mod identity;
mod info;
pub mod outcome;
mod parameters;
mod pem;
mod sans;
mod schemes;
mod selector;
mod server;
mod sessions;
mod source;
mod tickets;
mod trust;
mod verifier;

pub use certificate::{SanKind, certificate_info, subject_alternative_name};
pub use client::{ClientContext, ClientOptions};
pub use error::TlsError;
pub use failure::{Failure, FailureKind};
pub use identity::Identity;
pub use info::{HandshakeFacts, cipher_name, group_name, scheme_name, tls_info, version_name};
pub use server::{Chosen, Rejected, ServerContext};
pub use source::files;
pub use trust::TrustedCa;
