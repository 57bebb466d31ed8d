//! HTTP/2 over the `h2` crate.

mod alarm;
mod begin;
mod connection;
mod deadlines;
mod drain;
mod field_rules;
mod frames;
pub(crate) mod headers;
pub(crate) mod inbound;
mod io;
pub(crate) mod outbound;
mod output;
mod request_head;
mod requests;
pub(crate) mod scanner;
mod shared;
mod stream;
pub(crate) mod upgrade;

pub(crate) use connection::Http2Connection;
pub(crate) use io::PREFACE;
