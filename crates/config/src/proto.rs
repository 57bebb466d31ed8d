//! Types generated from the schema, for the fields that are implemented.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unnameable_types,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

include!(concat!(env!("OUT_DIR"), "/envoy.rs"));
