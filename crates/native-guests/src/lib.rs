//! Guests of `plugins/` as native plugins, so that what is tested with them is tested on the null runtime, too.
//!
//! Those that are written in Rust are their own sources, compiled against our crate in the SDK's place. The probe is a twin: an
//! interpreter of the same scripts over the typed operations, for what the SDK does not let a plugin do.
#![forbid(unsafe_code)]

mod guests;
mod probe;

use sandgate_abi::{CallbackKind, CallbackSet};
use sandgate_vm::NativeEngine;

pub use probe::Probe;

/// All of them, by the names of their directories.
#[must_use]
pub fn engine() -> NativeEngine {
    let callbacks: CallbackSet = CallbackKind::ALL.iter().copied().collect();
    guests::engine().with_plugin("probe", callbacks, Probe::default)
}
