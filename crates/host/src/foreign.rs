//! Functions that guests call by name (`proxy_call_foreign_function`): those of Envoy that need no context, and an
//! embedder's own.

mod curve;
mod legacy_rsa;
pub(crate) mod messages;
#[cfg(test)]
mod openssl_tests;
mod private_key;
mod public_key;
mod rsa_pkcs1;
mod rsa_signing;
mod signatures;
mod zlib;

use std::collections::HashMap;
use std::fmt;

use sandgate_abi::Status;

use crate::HttpStream;

pub(crate) use signatures::{sign, verify_signature};
pub(crate) use zlib::{Uncompressed, compress, uncompress};

/// What a foreign function is called with.
pub struct ForeignCall<'a> {
    /// What the guest passes; any bytes.
    pub arguments: &'a [u8],
    /// Name of the plugin that calls; empty in start functions.
    pub plugin_name: &'a str,
    /// Its `root_id`.
    pub root_id: &'a str,
    /// The stream that hostcalls act on; `None` in callbacks of root contexts.
    pub stream: Option<&'a dyn HttpStream>,
}

/// A foreign function: appends its result to the vector. What it has appended is dropped if it fails. It runs in a
/// worker's loop while the guest waits, so it must not block; nothing in it may call back into the host.
pub type ForeignFunction = dyn Fn(&ForeignCall<'_>, &mut Vec<u8>) -> Result<(), Status> + Send + Sync;

/// The embedder's functions by name.
#[derive(Default)]
pub(crate) struct ForeignFunctions(HashMap<Box<[u8]>, Box<ForeignFunction>>);

// === impl ForeignFunctions ===

impl ForeignFunctions {
    pub(crate) fn add(&mut self, name: &str, function: Box<ForeignFunction>) {
        self.0.insert(name.as_bytes().into(), function);
    }

    pub(crate) fn get(&self, name: &[u8]) -> Option<&ForeignFunction> {
        if self.0.is_empty() { None } else { self.0.get(name).map(|function| &**function) }
    }
}

impl fmt::Debug for ForeignFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys().map(|name| String::from_utf8_lossy(name))).finish()
    }
}

impl fmt::Debug for ForeignCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignCall").field("plugin_name", &self.plugin_name).finish_non_exhaustive()
    }
}
