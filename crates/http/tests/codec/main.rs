//! The HTTP/1 codec against what Envoy 1.40 did with the same bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod body_buffer;
mod encoding;
mod limits;
mod messages;
mod model;
mod request_cases;
mod requests;
mod response_cases;
mod responses;
mod round_trip;
mod splits;
mod transcript;
