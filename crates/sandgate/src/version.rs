//! What `--version` says.

/// Version and the runtimes that are built in.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbehaves as: Envoy 1.40.0",
    "\nruntimes: envoy.wasm.runtime.wasmtime, envoy.wasm.runtime.null",
    "\nenvoy.wasm.runtime.v8 is not built in: its plugins run on Wasmtime",
);
