//! Configurations and what becomes of them. Where a test says that Envoy accepts or refuses something, Envoy 1.40 was asked with
//! `--mode validate`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod support;
mod tls;

mod access;
mod access_logs;
mod any;
mod clusters;
mod defaults;
mod diagnostics;
mod dialect;
mod dns;
mod dynamic;
mod grpc_services;
mod hash_policies;
mod health;
mod limits;
mod listeners;
mod load_balancing;
mod overlay;
mod overload;
mod resources;
mod retries;
mod robustness;
mod routes;
mod runtime;
mod sandbox;
mod services;
mod stats;
mod unsupported;
mod upgrades;
mod wasm;
mod wasm_loggers;
