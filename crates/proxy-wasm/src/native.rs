//! What programs need that take plugins in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use sandgate_abi::{Callback, CallbackKind, CallbackSet};
use sandgate_vm::{HostCalls, NativePlugin};

pub use sandgate_vm::NativeEngine;

use crate::dispatcher::Dispatcher;
use crate::instance::{self, Instance};
use crate::logger;

/// What the SDK exports.
const CALLBACKS: [CallbackKind; 25] = [
    CallbackKind::ContextCreate,
    CallbackKind::VmStart,
    CallbackKind::Configure,
    CallbackKind::Tick,
    CallbackKind::QueueReady,
    CallbackKind::NewConnection,
    CallbackKind::DownstreamData,
    CallbackKind::DownstreamConnectionClose,
    CallbackKind::UpstreamData,
    CallbackKind::UpstreamConnectionClose,
    CallbackKind::RequestHeaders,
    CallbackKind::RequestBody,
    CallbackKind::RequestTrailers,
    CallbackKind::ResponseHeaders,
    CallbackKind::ResponseBody,
    CallbackKind::ResponseTrailers,
    CallbackKind::HttpCallResponse,
    CallbackKind::GrpcReceiveInitialMetadata,
    CallbackKind::GrpcReceive,
    CallbackKind::GrpcReceiveTrailingMetadata,
    CallbackKind::GrpcClose,
    CallbackKind::ForeignFunction,
    CallbackKind::Done,
    CallbackKind::Log,
    CallbackKind::Delete,
];

/// One VM of a plugin.
struct SdkPlugin {
    initialize: fn(),
    /// From `attach` on.
    instance: Option<Rc<Instance>>,
    dispatcher: Dispatcher,
}

/// Adds a plugin; `initialize` is what [`main!`](crate::main) made.
#[must_use]
pub fn register(engine: NativeEngine, name: &str, initialize: fn()) -> NativeEngine {
    let make = move || {
        logger::hook_panics();
        SdkPlugin { initialize, instance: None, dispatcher: Dispatcher::default() }
    };
    engine.with_plugin(name, CALLBACKS.into_iter().collect::<CallbackSet>(), make)
}

/// Hands a record of the `log` crate to the plugin whose code runs on this thread. The process's logger asks this first; if it is
/// true, the record is dealt with: it has become a line of the plugin's, or its level is not among those that the plugin wants.
#[must_use]
pub fn take_log_record(record: &log::Record<'_>) -> bool {
    logger::take(record)
}

/// Whether a record would be a line of the plugin whose code runs on this thread; `None` if none runs.
#[must_use]
pub fn log_enabled(metadata: &log::Metadata<'_>) -> Option<bool> {
    logger::enabled(metadata.level())
}

// === impl SdkPlugin ===

impl NativePlugin for SdkPlugin {
    fn attach(&mut self, host: Rc<dyn HostCalls>) {
        self.instance = Some(Instance::new(host));
    }

    fn start(&mut self, _: &dyn HostCalls) {
        if let Some(instance) = &self.instance {
            instance::enter(instance, self.initialize);
        }
    }

    fn call(&mut self, _: &dyn HostCalls, callback: Callback) -> Option<u32> {
        let instance = self.instance.as_ref()?;
        instance::enter(instance, || self.dispatcher.call(instance, callback))
    }
}

/// A Wasm VM's memory goes without its guest being asked; so contexts are dropped, but can do nothing.
impl Drop for SdkPlugin {
    fn drop(&mut self) {
        let Some(instance) = &self.instance else { return };
        instance.ended.set(true);
        instance::enter(instance, || {
            while let Some(context) = self.dispatcher.take_any() {
                // What a context's drop cannot do may make it panic.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(context)));
            }
        });
    }
}
