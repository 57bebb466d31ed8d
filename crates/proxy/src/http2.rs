//! HTTP/2 over the `h2` crate.

mod alarm;
mod begin;
mod connection;
pub(crate) mod constraints;
mod deadlines;
mod drain;
mod field_rules;
pub(crate) mod frame_head;
pub(crate) mod frames;
pub(crate) mod head_limits;
pub(crate) mod headers;
pub(crate) mod inbound;
mod io;
pub(crate) mod outbound;
mod output;
mod request_head;
mod requests;
pub(crate) mod response_head;
mod shared;
mod stream;
pub(crate) mod trailers;
pub(crate) mod upgrade;

pub(crate) use connection::Http2Connection;
pub(crate) use io::PREFACE;
