//! Plugins that are written as for the SDK, in VMs of the native engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod callouts;
mod hostcalls;
mod lives;
#[allow(dead_code, reason = "another crate's tests use all of it")]
#[path = "../../../vm/tests/vm/recorder.rs"]
mod recorder;
mod vms;
