//! Plugins compiled into the process: Envoy's `envoy.wasm.runtime.null`.
//!
//! They use the typed operations directly, so that host logic can be tested and extended without Wasm.
//! They are trusted: no memory cap, no CPU limit.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use sandgate_abi::{Callback, CallbackKind, CallbackSet, Capabilities};

use crate::{Engine, Fault, FaultKind, HostCalls, Limits, LoadError, Module, PluginVm};

/// One instance of a native plugin, which plays the part of a Wasm module's instance.
///
/// A closure over a callback is a plugin too.
pub trait NativePlugin: 'static {
    /// The host of this instance, for those that cannot take it from each call. Once, before anything else.
    fn attach(&mut self, host: Rc<dyn HostCalls>) {
        let _ = host;
    }

    /// What `_initialize` would do. Once, before any callback.
    fn start(&mut self, host: &dyn HostCalls) {
        let _ = host;
    }

    /// A callback, only of those registered. `None` means that it has no result, or is not there after all.
    fn call(&mut self, host: &dyn HostCalls, callback: Callback) -> Option<u32>;
}

/// The runtime of native plugins. A module's code is the plugin's name.
#[derive(Clone, Default)]
pub struct NativeEngine {
    plugins: BTreeMap<String, NativeModule>,
}

/// A registered plugin.
#[derive(Clone)]
struct NativeModule {
    callbacks: CallbackSet,
    factory: Arc<dyn Fn() -> Box<dyn NativePlugin> + Send + Sync>,
}

struct NativeVm<H> {
    host: Rc<H>,
    callbacks: CallbackSet,
    plugin: Box<dyn NativePlugin>,
    dead: bool,
}

// === impl NativePlugin ===

impl<F> NativePlugin for F
where
    F: FnMut(&dyn HostCalls, Callback) -> Option<u32> + 'static,
{
    fn call(&mut self, host: &dyn HostCalls, callback: Callback) -> Option<u32> {
        self(host, callback)
    }
}

// === impl NativeEngine ===

impl NativeEngine {
    /// Envoy's name of this runtime.
    pub const NAME: &'static str = "envoy.wasm.runtime.null";

    /// An engine without plugins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin, in place of an earlier one of the name. `factory` makes one instance, on the thread that uses it.
    #[must_use]
    pub fn with_plugin<P: NativePlugin>(
        mut self,
        name: impl Into<String>,
        callbacks: CallbackSet,
        factory: impl Fn() -> P + Send + Sync + 'static,
    ) -> Self {
        let factory = Arc::new(move || -> Box<dyn NativePlugin> { Box::new(factory()) });
        self.plugins.insert(name.into(), NativeModule { callbacks, factory });
        self
    }
}

impl<H: HostCalls> Engine<H> for NativeEngine {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn compile(&self, code: &[u8]) -> Result<Arc<dyn Module<H>>, LoadError> {
        let name = String::from_utf8_lossy(code);
        match self.plugins.get(name.as_ref()) {
            Some(module) => Ok(Arc::new(module.clone())),
            None => {
                let known: Vec<_> = self.plugins.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(LoadError::Compile(format!("no native plugin is called {name:?}, there are: {known}")))
            }
        }
    }
}

impl std::fmt::Debug for NativeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NativeEngine").field(&self.plugins.keys().collect::<Vec<_>>()).finish()
    }
}

// === impl NativeModule ===

impl<H: HostCalls> Module<H> for NativeModule {
    fn exports(&self) -> CallbackSet {
        self.callbacks
    }

    fn is_abi_0_1_0(&self) -> bool {
        false
    }

    fn instantiate(&self, host: H, _: &Limits, _: &Capabilities) -> Result<Box<dyn PluginVm<H>>, LoadError> {
        let host = Rc::new(host);
        let make = || {
            let mut plugin = (self.factory)();
            plugin.attach(Rc::<H>::clone(&host));
            plugin
        };
        let plugin =
            catch_unwind(AssertUnwindSafe(make)).map_err(|panic| LoadError::Instantiate(panic_text(&*panic)))?;
        Ok(Box::new(NativeVm { host, callbacks: self.callbacks, plugin, dead: false }))
    }
}

// === impl NativeVm ===

impl<H: HostCalls> NativeVm<H> {
    /// Runs plugin code; a panic kills this instance, which is then never entered again.
    fn enter<R>(
        &mut self,
        function: &'static str,
        callback: Option<CallbackKind>,
        run: impl FnOnce(&mut dyn NativePlugin, &H) -> R,
    ) -> Result<R, Fault> {
        let fault = |kind| Fault { function, callback, kind, backtrace: Vec::new() };
        if self.dead {
            return Err(fault(FaultKind::Dead));
        }
        // The plugin is not touched after a panic; the host holds no borrow across calls.
        catch_unwind(AssertUnwindSafe(|| run(&mut *self.plugin, &*self.host))).map_err(|panic| {
            self.dead = true;
            fault(FaultKind::Trap(panic_text(&*panic)))
        })
    }
}

impl<H: HostCalls> PluginVm<H> for NativeVm<H> {
    fn start(&mut self) -> Result<(), Fault> {
        self.enter("_initialize", None, |plugin, host| plugin.start(host))
    }

    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        let kind = callback.kind();
        if !self.callbacks.contains(kind) && !self.dead {
            return Ok(None);
        }
        self.enter(kind.export(), Some(kind), |plugin, host| plugin.call(host, callback))
    }

    fn host(&self) -> &H {
        &self.host
    }

    fn memory_size(&self) -> usize {
        0
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("native plugin panicked: {}", text.unwrap_or("no message"))
}
