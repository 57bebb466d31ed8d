//! The API of the [`proxy-wasm`](https://docs.rs/proxy-wasm/0.2.5) crate, for plugins that are compiled into the proxy.
//!
//! A plugin that is written for that crate is compiled natively, its source unchanged, with this one in its place:
//!
//! ```toml
//! [dependencies]
//! proxy-wasm = { package = "sandgate-proxy-wasm", path = "…" }
//! ```
//!
//! A program takes such plugins in with [`plugins!`], and configurations select them by `runtime: envoy.wasm.runtime.null` and their
//! names as inline code. Every VM has contexts and callouts of its own, whichever plugins and threads share the process.
//!
//! What a hostcall answers that its wrapper does not know is a panic, as in the SDK, and a panic is caught at the callback's border and
//! becomes the VM's trap. There are no limits: native plugins are trusted with memory and time.
#![forbid(unsafe_code)]

mod dispatcher;
pub mod hostcalls;
mod instance;
mod logger;
mod map;
pub mod native;
pub mod traits;
pub mod types;

/// The plugin's beginning: what the block does runs once in each VM, before its contexts are made.
///
/// Makes a function `_initialize` where it stands, which [`plugins!`] looks for.
#[macro_export]
macro_rules! main {
    ($code:block) => {
        /// Sets the plugin up in a new VM.
        pub fn _initialize() {
            $code;
        }
    };
}

/// A [`native::NativeEngine`] of plugins: the paths of the modules (mostly crates) in which their [`main!`] stands.
///
/// A plugin's name is that of its module, or what is written in front: `plugins![hello, "rate-limit" => limits::plugin]`.
#[macro_export]
macro_rules! plugins {
    (@into $engine:ident) => {};
    (@into $engine:ident $name:literal => $($module:ident)::+ $(, $($rest:tt)*)?) => {
        let $engine = $crate::native::register($engine, $name, $($module)::+::_initialize);
        $($crate::plugins!(@into $engine $($rest)*);)?
    };
    (@into $engine:ident $module:ident $(, $($rest:tt)*)?) => {
        let $engine = $crate::native::register($engine, ::core::stringify!($module), $module::_initialize);
        $($crate::plugins!(@into $engine $($rest)*);)?
    };
    ($($plugins:tt)*) => {{
        let engine = $crate::native::NativeEngine::new();
        $crate::plugins!(@into engine $($plugins)*);
        engine
    }};
}

/// Which of this VM's log records, made with the `log` crate, become log lines; none before this is called.
///
/// The `log` crate's own level stays the process's, which never is above what the proxy writes.
pub fn set_log_level(level: types::LogLevel) {
    instance::with("set_log_level", |instance| instance.level.set(Some(logger::filter(level))));
}

/// How this VM makes its root contexts.
pub fn set_root_context(callback: types::NewRootContext) {
    instance::with("set_root_context", |instance| instance.new_root.set(Some(callback)));
}

/// How this VM makes the contexts of its TCP streams, in place of [`traits::RootContext::create_stream_context`].
pub fn set_stream_context(callback: types::NewStreamContext) {
    instance::with("set_stream_context", |instance| instance.new_stream.set(Some(callback)));
}

/// How this VM makes the contexts of its HTTP streams, in place of [`traits::RootContext::create_http_context`].
pub fn set_http_context(callback: types::NewHttpContext) {
    instance::with("set_http_context", |instance| instance.new_http.set(Some(callback)));
}
