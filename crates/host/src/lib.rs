//! The Proxy-Wasm host: VMs, plugins, contexts and hostcalls, without sockets or a clock of its own.
#![forbid(unsafe_code)]

mod callouts;
mod calls;
mod code_cache;
mod environment;
mod explain;
mod foreign;
mod grpc;
mod host;
mod http_context;
mod http_stream;
mod keys;
mod limits;
mod meter;
mod modules;
mod network_context;
mod network_stream;
mod plugin;
mod plugin_config;
mod plugin_error;
mod plugin_handle;
mod report;
mod settings;
mod shared;
mod stats;
mod stats_update;
mod vm;
mod worker_host;

pub use callouts::{Callout, Callouts, DnsAddress, DnsDone, HttpCall, HttpCallDone, HttpCallResponse};
pub use code_cache::{CachedCode, CodeCache};
pub use environment::{Environment, GuestLog};
pub use foreign::{ForeignCall, ForeignFunction};
pub use grpc::{GrpcCall, GrpcEnd, GrpcEvents, GrpcKind, GrpcRefusal, GrpcRequest};
pub use host::{Host, HostBuilder};
pub use http_context::{ContextOutcome, HttpContext, fail_stream_reply};
pub use http_stream::{HttpStream, StreamMap};
pub use keys::sha256_hex;
pub use limits::HostLimits;
pub use modules::CompileAhead;
pub use network_context::{ClosePeer, NetworkContext, NetworkOutcome, NetworkStatus};
pub use network_stream::{NetworkSide, NetworkStream};
pub use plugin::Plugin;
pub use plugin_config::{FailurePolicy, PluginConfig, VmConfig};
pub use plugin_error::{PluginError, PluginErrorCause};
pub use plugin_handle::PluginHandle;
pub use report::{CallbackReport, FailedCallReport, PluginReport, TrapReport, WorkerReport};
pub use sandgate_abi::Capabilities;
#[cfg(feature = "v8")]
pub use sandgate_vm::V8Engine;
#[cfg(feature = "wamr")]
pub use sandgate_vm::WamrEngine;
pub use sandgate_vm::{
    Engine, Fault, FaultKind, Frame, HostCalls, Limits, LoadError, ModuleCache, ModuleCacheCounts, ModuleCacheError,
    NativeEngine, NativePlugin, OutgoingHttp, Output, WasmtimeEngine, default_cache_path,
};
pub use settings::{Isolation, PluginSettings, Quotas};
pub use stats::Stat;
pub use stats_update::UpdatedStat;
pub use vm::state::VmHost;
pub use worker_host::WorkerHost;
