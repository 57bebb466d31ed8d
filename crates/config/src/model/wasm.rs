//! A Proxy-Wasm plugin.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use sandgate_abi::Capabilities;

use super::Origin;

/// Envoy's `envoy.extensions.wasm.v3.PluginConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct WasmPlugin {
    /// Names the plugin in logs, stats and the property `plugin_name`.
    pub name: String,
    /// Chooses the root context inside the module.
    pub root_id: String,
    /// The VM.
    pub vm: VmConfig,
    /// What `proxy_on_configure` reads: of a `StringValue` or `BytesValue` its content, of any other message its serialization.
    pub configuration: Bytes,
    /// What new streams get once the VM has failed; unspecified is closed, `fail_open: true` is open.
    pub failure_policy: FailurePolicy,
    /// The deprecated `fail_open: true`: streams in flight in a failed VM pass too.
    pub fail_open: bool,
    /// `reload_config.backoff.base_interval`, 1 s by default.
    pub reload_backoff: Duration,
    /// A headers callback's 1 means `StopIteration`, not `StopAllIterationAndWatermark`. False by default.
    pub allow_on_headers_stop_iteration: bool,
    /// The message without its VM, serialized: plugins of one VM whose bytes are equal are one plugin (observed in Envoy 1.40).
    pub identity: Bytes,
    /// Where it stands.
    pub origin: Origin,
}

/// Envoy's `envoy.extensions.wasm.v3.WasmService`: a plugin without streams.
#[derive(Clone, Debug, PartialEq)]
pub struct WasmService {
    /// The plugin.
    pub plugin: WasmPlugin,
    /// It runs on the main thread alone; else also on every worker.
    pub singleton: bool,
}

/// Envoy's `envoy.extensions.wasm.v3.VmConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct VmConfig {
    /// Part of the VM key; namespace of shared data and queues.
    pub vm_id: String,
    /// Envoy's runtime name, such as `envoy.wasm.runtime.v8`; empty is the default one. Whether it is built in, the host decides.
    pub runtime: String,
    /// The module.
    pub code: CodeSource,
    /// Where `code` stands.
    pub code_origin: Origin,
    /// What `proxy_on_vm_start` reads, converted as a plugin's; part of the VM key.
    pub configuration: Bytes,
    /// WASI environment: `key_values` and the host's values of `host_env_keys` that are set, by key. No key is there twice.
    pub environment: Vec<(String, String)>,
    /// The message about the environment, serialized: VMs are shared only if it is equal (observed in Envoy 1.40).
    pub identity: Bytes,
    /// `capability_restriction_config`, or the plugin's, which is deprecated: what the guest may call, and which of its callbacks are called.
    pub capabilities: Capabilities,
}

/// Where a module comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeSource {
    /// No code at all: the plugin cannot be created.
    None,
    /// A file, read when the plugin is created.
    File(PathBuf),
    /// Fetched when the plugin is created.
    Remote(Box<RemoteCode>),
    /// In the configuration, or in an environment variable that was read while loading. For the null runtime: the plugin's name.
    Inline(Bytes),
}

/// Envoy's `RemoteDataSource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCode {
    /// Its host is the request's `:authority`, the rest of it the path.
    pub uri: String,
    /// Where the request goes. That there is no such cluster is a failed try, not a mistake (as in Envoy).
    pub cluster: String,
    /// Of one try.
    pub timeout: Duration,
    /// What the code's checksum must be, in lower case: nothing else matches (as in Envoy).
    pub sha256: String,
    /// Tries after the first; 1 by default.
    pub num_retries: u32,
    /// The first wait is shorter than this, 1 s by default, and each may be twice as long as the one before.
    pub base_interval: Duration,
    /// The longest wait; ten times the base by default.
    pub max_interval: Duration,
    /// `nack_on_code_cache_miss`: the plugin is refused now if the code is not there yet.
    pub nack_on_cache_miss: bool,
}

/// Envoy's `FailurePolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Every stream gets 503.
    #[default]
    FailClosed,
    /// New streams pass without the plugin.
    FailOpen,
    /// The VM is made anew, with a backoff.
    FailReload,
}

/// A module's file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct ReadCodeError {
    path: String,
    source: std::io::Error,
}

// === impl CodeSource ===

impl CodeSource {
    /// The module's bytes; empty if there is no code, or if it has to be fetched.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> Result<Bytes, ReadCodeError> {
        match self {
            Self::None | Self::Remote(_) => Ok(Bytes::new()),
            Self::Inline(bytes) => Ok(bytes.clone()),
            Self::File(path) => std::fs::read(path)
                .map(Bytes::from)
                .map_err(|source| ReadCodeError { path: path.display().to_string(), source }),
        }
    }
}
