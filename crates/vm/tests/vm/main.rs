//! Behaviour of a VM, on every engine that is built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod allocator;
mod capabilities;
mod faults;
mod guests;
mod hostcalls;
mod images;
mod limits;
mod loading;
mod module_cache;
mod native;
mod recorder;
mod start;
mod support;
#[cfg(feature = "v8")]
mod v8;
mod wasi;
