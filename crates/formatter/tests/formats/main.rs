//! What formats are taken and what they render.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod errors;
mod json;
mod state;
mod support;
mod text;
mod tls;
