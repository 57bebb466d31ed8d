//! The filter chain as its filters and its owner see it, driven by scripted filters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod attempt;
mod body;
mod early;
mod ends;
mod harness;
mod headers;
mod local_reply;
mod model;
mod overflow;
mod resume;
mod script;
mod stop_all;
mod trailers;
