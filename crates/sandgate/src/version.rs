//! What `--version` says.

/// Engines that need not be built in, as they go on the line of the runtimes.
#[cfg(feature = "v8")]
macro_rules! v8 {
    () => {
        ", envoy.wasm.runtime.v8"
    };
}
#[cfg(not(feature = "v8"))]
macro_rules! v8 {
    () => {
        "\nenvoy.wasm.runtime.v8 is not built in: its plugins run on Wasmtime"
    };
}

#[cfg(feature = "wamr")]
macro_rules! wamr {
    () => {
        ", envoy.wasm.runtime.wamr"
    };
}
#[cfg(not(feature = "wamr"))]
macro_rules! wamr {
    () => {
        ""
    };
}

/// Version and the runtimes that are built in.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbehaves as: Envoy 1.40.0",
    "\nruntimes: envoy.wasm.runtime.wasmtime, envoy.wasm.runtime.null",
    wamr!(),
    v8!(),
);
