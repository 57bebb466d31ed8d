//! Whether HTTP/2 clients are served as RFC 9113 and RFC 7541 want it, and whether hostile ones are borne.
//!
//! The cases are those of h2spec (its sections `generic`, `http2` and `hpack`), written anew, with some of our own; each is named by
//! the section it tests. They run against a proxy of this process, or against any server at `H2SPEC_TARGET` (an `address:port`) that
//! answers `/` with ten bytes and lets `/never` wait: so one learns what another server, Envoy say, makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod connection;
mod frame;
mod generic;
mod hostile;
mod hpack;
mod rfc7541;
mod rfc9113;
mod target;
