//! One Wasm VM: compile, instantiate, limit, call.
//!
//! Two layers: [`HostCalls`] is what a guest can ask, as typed operations without pointers; over it the
//! marshalling reads guest pointers, written once, and expanded for each engine from the ABI's tables.
//!
//! Unsafe code is only where an engine asks for it, with its reason.
#![deny(unsafe_code)]

mod check;
mod cpu;
mod demangle;
#[cfg(any(feature = "v8", feature = "wamr"))]
mod encode;
mod engine;
mod error;
mod failed_call;
#[cfg(any(feature = "v8", feature = "wamr"))]
#[expect(unsafe_code, reason = "called by engines in C and C++")]
mod foreign_calls;
mod guest;
mod host_calls;
mod image;
mod marshal;
mod module_cache;
mod native;
mod output;
#[cfg(feature = "v8")]
mod v8_engine;
#[cfg(feature = "wamr")]
mod wamr_engine;
mod wasi;
mod wasmtime_engine;

pub use engine::{Engine, Grown, Limits, Module, PluginVm};
pub use error::{Fault, FaultKind, Frame, LoadError};
pub use failed_call::{Answer, Argument, ArgumentValue, CallFault, FailedCall};
pub use host_calls::{HostCalls, LocalResponse, OutgoingGrpc, OutgoingHttp, Stdio};
pub use image::imageable;
pub use module_cache::{ModuleCache, ModuleCacheCounts, ModuleCacheError, default_cache_path};
pub use native::{NativeEngine, NativePlugin};
pub use output::Output;
#[cfg(feature = "v8")]
pub use v8_engine::V8Engine;
#[cfg(feature = "wamr")]
pub use wamr_engine::WamrEngine;
pub use wasmtime_engine::WasmtimeEngine;
