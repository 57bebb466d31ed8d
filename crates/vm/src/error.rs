//! How a module fails to load and how a running guest fails.

use std::fmt;
use std::time::Duration;

use sandgate_abi::CallbackKind;

use crate::guest::Stop;

/// Why a module cannot become a VM. The texts are those that Envoy 1.40 logs after `Wasm VM failed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Not a Wasm module, or a truncated one.
    #[error("Failed to parse corrupted Wasm module: {0}")]
    Corrupted(String),
    /// No `proxy_abi_version_*` export that we know.
    #[error("Missing or unknown Proxy-Wasm ABI version")]
    UnknownAbi,
    /// Imports that no host function answers, all of them.
    #[error("Failed to load Wasm module due to a missing import: {}", .0.join(", "))]
    MissingImports(Vec<String>),
    /// An import whose type is not the host function's.
    #[error(
        "Failed to load Wasm module due to an import type mismatch: {import}, want: {want}, but host exports: {have}"
    )]
    ImportType {
        /// `module.name`.
        import: String,
        /// The type the module asks for, as `i32 i32 -> i32`.
        want: String,
        /// The type the host has.
        have: String,
    },
    /// A callback export of a type that is not the ABI's.
    #[error("Bad function signature for: {export}, want: {want}, but the module exports: {have}")]
    ExportType {
        /// The export's name.
        export: String,
        /// The type the ABI asks for.
        want: String,
        /// The type the module has.
        have: String,
    },
    /// Neither `proxy_on_memory_allocate` nor `malloc`.
    #[error("Wasm module is missing malloc function.")]
    MissingAllocator,
    /// The engine refused the module.
    #[error("Failed to load Wasm bytecode: {0}")]
    Compile(String),
    /// The engine could not make an instance, or the start section trapped.
    #[error("Failed to create new Wasm instance: {0}")]
    Instantiate(String),
    /// No instances can begin in the state of another one.
    #[error("The module's state cannot be captured for isolation STREAM: {0}")]
    NotImageable(String),
    /// The runtime is not built in, or its name is not known.
    #[error("Failed to create Wasm VM using {0} runtime. Sandgate was compiled without support for it{feature}", feature = feature(.0))]
    UnknownRuntime(String),
}

/// Which cargo feature builds a runtime in.
fn feature(runtime: &str) -> &'static str {
    match runtime {
        "envoy.wasm.runtime.v8" => " (cargo feature `v8`)",
        "envoy.wasm.runtime.wamr" => " (cargo feature `wamr`)",
        _ => "",
    }
}

/// A guest call that did not return: the VM is dead from here on and is never entered again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Function: {function} failed: {kind}")]
pub struct Fault {
    /// The export that was called, or the allocator if it failed within a hostcall.
    pub function: &'static str,
    /// The callback that was running; `None` for start functions.
    pub callback: Option<CallbackKind>,
    /// What happened.
    pub kind: FaultKind,
    /// The guest's frames, innermost first; at most 20, empty if unknown.
    pub backtrace: Vec<Frame>,
}

/// A frame of a guest's stack. Shown as Envoy 1.40 shows it, `0xc4 - name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where in the module's bytes the frame is, if the engine knows.
    pub offset: Option<u32>,
    /// The function: its name in the module's name section, demangled, or else `unknown(function index:7)`.
    pub name: String,
}

/// What ended a guest call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// A Wasm trap, in the words of the engine.
    #[error("{0}")]
    Trap(String),
    /// The guest called `proc_exit`.
    #[error("proc_exit({0})")]
    Exit(u32),
    /// The call used up its CPU time.
    #[error("CPU time limit of {limit:?} exceeded")]
    CpuLimit {
        /// The limit that was in force.
        limit: Duration,
    },
    /// A hostcall that is not allowed while start functions run.
    #[error("restricted_callback: {0}")]
    Restricted(&'static str),
    /// The VM was called although an earlier call had failed.
    #[error("the VM has failed before")]
    Dead,
}

// === impl FaultKind ===

impl From<Stop> for FaultKind {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Exit(code) => Self::Exit(code),
            Stop::Restricted(function) => Self::Restricted(function),
            Stop::Abort(_) => Self::Trap(stop.to_string()),
            Stop::CpuLimit(limit) => Self::CpuLimit { limit },
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, name } = self;
        match offset {
            Some(offset) => write!(f, "{offset:#x} - {name}"),
            None => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_is_not_built_in_names_its_feature() {
        let text = |name: &str| LoadError::UnknownRuntime(name.to_owned()).to_string();
        assert!(text("envoy.wasm.runtime.wamr").ends_with("without support for it (cargo feature `wamr`)"));
        assert!(text("envoy.wasm.runtime.wavm").ends_with("without support for it"));
    }
}
