//! The `proxy_*` hostcalls: numbers and guest pointers in, typed operations out.
//!
//! Written once, generic over the engine. Every function keeps one order: enums (`BAD_ARGUMENT`), then the pointers of
//! arguments (`INVALID_MEMORY_ACCESS`), then the operation, then the pointers of results, as Envoy does. Only where the
//! operation changes something are the latter checked before it, so that a hostcall either does nothing or can also
//! report what it did. Envoy loses the result.

mod buffers;
mod callouts;
mod env;
mod general;
mod headers;
mod memory;
mod metrics;
mod result;
mod shared;
mod streams;

pub(crate) use buffers::*;
pub(crate) use callouts::*;
pub(crate) use env::*;
pub(crate) use general::*;
pub(crate) use headers::*;
pub(crate) use memory::{bytes, bytes_mut, check, put, put_u32, put_u64};
pub(crate) use metrics::*;
pub(crate) use result::{Failure, Outcome, answer, deliver, returning};
pub(crate) use shared::*;
pub(crate) use streams::*;
