//! The Proxy-Wasm ABI as types: enums, codecs, signatures, version detection. No I/O.
#![forbid(unsafe_code)]

mod callback;
mod capability;
mod enums;
mod host_functions;
mod module;
pub mod pairs;
pub mod property_path;
mod signature;
mod status;
mod version;

pub use callback::{Callback, CallbackKind, CallbackSet, MAX_ARGUMENTS};
pub use capability::Capabilities;
pub use enums::{BufferType, LogLevel, MapType, MetricType, PeerType, StreamType};
pub use host_functions::{ENV_FUNCTIONS, HostFunction, PROXY_FUNCTIONS, WASI_FUNCTIONS, WASI_MODULES, host_function};
pub use module::{Export, Import, InspectError, ItemKind, ModuleInfo};
pub use signature::{AbiResult, AbiValue, Signature, ValType};
pub use status::Status;
pub use version::AbiVersion;
