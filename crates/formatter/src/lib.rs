//! Envoy's format strings: text with commands such as `%REQ(:path)%`, read once and rendered for a stream.
//!
//! [`Format`] is text, [`JsonFormat`] a tree of such texts; both render a [`FormatContext`]. They serve access logs, local
//! replies and the values of headers that routes add. Commands and errors are those of Envoy 1.40.
#![forbid(unsafe_code)]

mod access_log_type;
mod address;
mod coalesce;
mod command;
mod common_duration;
mod context;
mod error;
mod expression;
mod filter_state;
mod format;
mod grpc_status;
mod header;
mod json;
mod json_text;
mod metadata;
mod operator;
mod query;
mod simple;
mod syntax;
mod time;
mod tls;

pub use access_log_type::AccessLogType;
pub use context::FormatContext;
pub use error::FormatError;
pub use format::Format;
pub use json::JsonFormat;
