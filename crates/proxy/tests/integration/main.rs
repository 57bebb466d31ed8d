//! A whole server in this process, with raw-socket clients and upstreams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod admin;
mod backpressure;
mod basics;
mod callouts;
mod clusters;
mod drain;
mod errors;
mod grpc;
mod http2;
mod http2_upstream;
mod life;
mod resilience;
mod services;
mod support;
mod tcp;
mod timeouts;
mod tls;
mod wasm;
mod websocket;
mod xds;
