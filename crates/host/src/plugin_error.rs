//! Why a plugin could not be made.

use sandgate_abi::LogLevel;
use sandgate_vm::{Fault, LoadError};

use crate::Host;

/// A plugin that failed to load, with the reason. The configuration that names it must be refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unable to create Wasm plugin {plugin}: {cause}")]
pub struct PluginError {
    /// The plugin's name.
    pub plugin: String,
    /// The reason.
    pub cause: PluginErrorCause,
}

/// What failed. The first words are those that Envoy 1.40 logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginErrorCause {
    /// There is no code.
    #[error("there is no code")]
    NoCode,
    /// The module cannot become a VM.
    #[error("{stage}: {0}", stage = stage(.0))]
    Load(#[from] LoadError),
    /// There are as many instances as there may be.
    #[error("Failed to create new Wasm instance: there are {limit} already, as many as its limits allow")]
    TooManyInstances {
        /// How many there may be.
        limit: usize,
    },
    /// `_initialize`, `main` or `_start` did not return.
    #[error("Failed to initialize Wasm code: {0}")]
    Initialize(Fault),
    /// `proxy_on_context_create` or `proxy_on_vm_start` did not return, or the latter answered false.
    #[error("Failed to start {} Wasm: {}", place(*.worker), because(.fault, "proxy_on_vm_start"))]
    Start {
        /// In a worker's VM, after the one on the main thread had started.
        worker: bool,
        /// Why, unless the plugin answered false.
        fault: Option<Fault>,
    },
    /// `proxy_on_configure` did not return, or answered false.
    #[error("Failed to configure {} Wasm plugin: {}", place(*.worker), because(.fault, "proxy_on_configure"))]
    Configure {
        /// In a worker's VM, after the one on the main thread had accepted the configuration.
        worker: bool,
        /// Why, unless the plugin answered false.
        fault: Option<Fault>,
    },
}

impl PluginErrorCause {
    /// Writes the lines that Envoy 1.40 writes for this failure. Faults have been logged when they happened.
    pub(crate) fn log(&self, host: &Host) {
        let failed = |line: &str| host.note(LogLevel::Error, format_args!("Wasm VM failed {line}"));
        match self {
            Self::NoCode => {}
            Self::TooManyInstances { .. } => failed(&self.to_string()),
            Self::Load(error) => {
                match error {
                    LoadError::UnknownRuntime(_) => host.note(LogLevel::Warn, format_args!("{error}")),
                    LoadError::Corrupted(_)
                    | LoadError::UnknownAbi
                    | LoadError::Compile(_)
                    | LoadError::MissingAllocator => {
                        failed(&error.to_string());
                    }
                    _ => host.note(LogLevel::Error, format_args!("{error}")),
                }
                failed(stage(error));
            }
            Self::Initialize(_) => failed("Failed to initialize Wasm code"),
            Self::Start { worker, .. } => failed(&format!("Failed to start {} Wasm", place(*worker))),
            Self::Configure { worker, .. } => failed(&format!("Failed to configure {} Wasm plugin", place(*worker))),
        }
    }
}

/// Envoy reads a module first and links it later.
fn stage(error: &LoadError) -> &'static str {
    match error {
        LoadError::Corrupted(_) | LoadError::UnknownAbi | LoadError::Compile(_) | LoadError::UnknownRuntime(_) => {
            "Failed to load Wasm code"
        }
        _ => "Failed to initialize Wasm code",
    }
}

fn place(worker: bool) -> &'static str {
    if worker { "thread-local" } else { "base" }
}

fn because(fault: &Option<Fault>, callback: &str) -> String {
    fault.as_ref().map_or_else(|| format!("{callback} answered false"), Fault::to_string)
}
