//! The data plane: workers, listeners, HTTP connection handling, routing, clusters, stats and admin.
#![forbid(unsafe_code)]

mod accepted;
mod access_log;
mod active_stream;
pub mod admin;
mod admin_terminal;
mod async_client;
mod callouts;
mod chain_drain;
mod cluster;
mod connection;
mod connection_id;
mod date;
mod discovered_filter;
mod dns;
mod downstream;
mod drain;
mod event_file;
mod gathered;
mod global_connections;
mod hcm;
mod health;
mod health_check_filter;
mod http2;
pub mod lifecycle;
mod listener;
mod listener_filters;
mod listener_tls;
mod local_reply;
mod memory;
mod network;
mod network_filters;
mod outlier;
mod pool;
mod rbac_filter;
mod request_headers;
mod request_path;
mod resource_status;
mod response_headers;
mod route_table;
mod router;
pub mod runtime;
mod secrets;
mod server;
mod socket;
mod state_filters;
mod stats_sinks;
mod tcp_proxy;
mod terminal;
mod transport;
mod upgrade;
mod upstream_tls;
mod wasm_filter;
mod wasm_network_filter;
mod worker;
mod xds;

/// Stats under the name that this crate uses for them.
pub use sandgate_stats as stats;

pub use access_log::LogOptions;
pub use drain::{DrainDirection, DrainOptions, DrainStrategy};
pub use server::{ListenerAddress, Server, ServerError, ServerOptions, StartError, validate};
