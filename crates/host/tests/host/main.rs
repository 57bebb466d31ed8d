//! The host, driven through whole requests without sockets.
//!
//! Each behaviour is one script for the probe guest (`plugins/probe`), run as Wasm on every engine that is built, and by an
//! interpreter of the same scripts that is a native plugin over the typed operations. What it logs must be the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test may panic")]

mod any_order;
mod bodies;
mod callouts;
mod contexts;
mod dns;
mod explains;
mod failures;
mod foreign;
mod grpc;
mod invariants;
mod isolation;
mod lifetimes;
mod loading;
mod local_replies;
mod loggers;
mod maps;
mod network;
mod properties;
mod quotas;
mod sdk;
mod sharing;
mod stream;
mod ticks;
mod wasm_only;
mod world;

/// Makes one test per engine of a function that takes the engine's name.
macro_rules! on_every_engine {
    ($($name:ident)*) => {
        crate::on_every_wasm_engine! { $($name)* }
        mod native { $( #[test] fn $name() { super::$name(&crate::world::Runtime::Native); } )* }
    };
}
pub(crate) use on_every_engine;

/// The same without the native one.
macro_rules! on_every_wasm_engine {
    ($($name:ident)*) => {
        mod wasmtime { $( #[test] fn $name() { super::$name(&crate::world::Runtime::Wasmtime); } )* }
        #[cfg(feature = "v8")]
        mod v8 { $( #[test] fn $name() { super::$name(&crate::world::Runtime::V8); } )* }
        #[cfg(feature = "wamr")]
        mod wamr { $( #[test] fn $name() { super::$name(&crate::world::Runtime::Wamr); } )* }
    };
}
pub(crate) use on_every_wasm_engine;
