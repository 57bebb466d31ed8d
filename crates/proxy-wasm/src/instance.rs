//! The VM whose code runs on this thread, which the SDK's free functions act on.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use log::LevelFilter;
use sandgate_vm::HostCalls;

use crate::types::{NewHttpContext, NewRootContext, NewStreamContext};

/// What belongs to one VM beside its contexts.
pub(crate) struct Instance {
    pub(crate) host: Rc<dyn HostCalls>,
    pub(crate) new_root: Cell<Option<NewRootContext>>,
    pub(crate) new_stream: Cell<Option<NewStreamContext>>,
    pub(crate) new_http: Cell<Option<NewHttpContext>>,
    /// The log records that become lines, once the plugin says so.
    pub(crate) level: Cell<Option<LevelFilter>>,
    /// The context whose callback runs, to which callouts belong.
    pub(crate) active: Cell<u32>,
    /// Contexts by the callouts under way.
    pub(crate) http_calls: RefCell<HashMap<u32, u32>>,
    pub(crate) grpc_calls: RefCell<HashMap<u32, u32>>,
    pub(crate) grpc_streams: RefCell<HashMap<u32, u32>>,
    /// What is left of the VM is being dropped: there is no host any more to ask.
    pub(crate) ended: Cell<bool>,
}

thread_local! {
    /// `None` outside of plugin code, and also in a hostcall that plugin code makes: what the host logs there is its own.
    static CURRENT: RefCell<Option<Rc<Instance>>> = const { RefCell::new(None) };
}

/// Puts back what was current.
struct Restore(Option<Rc<Instance>>);

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

/// Runs code of the plugin.
pub(crate) fn enter<R>(instance: &Rc<Instance>, run: impl FnOnce() -> R) -> R {
    let _restore = Restore(CURRENT.replace(Some(Rc::clone(instance))));
    run()
}

/// Does something with the VM whose code runs, which is not current meanwhile. A panic if none runs, so not for what a host
/// can bring about.
pub(crate) fn with<R>(function: &str, run: impl FnOnce(&Instance) -> R) -> R {
    try_with(run).unwrap_or_else(|| fail(format_args!("{function} was called outside of a plugin's callbacks")))
}

/// The same where it may be none.
pub(crate) fn try_with<R>(run: impl FnOnce(&Instance) -> R) -> Option<R> {
    let restore = Restore(CURRENT.try_with(RefCell::take).ok()?);
    restore.0.as_deref().filter(|instance| !instance.ended.get()).map(run)
}

/// Whether what is left of a VM is being dropped on this thread.
pub(crate) fn has_ended() -> bool {
    CURRENT.try_with(|current| current.borrow().as_ref().is_some_and(|instance| instance.ended.get())).unwrap_or(false)
}

/// The end of this callback, and of this VM.
#[expect(clippy::panic, reason = "as in the SDK; the engine catches it")]
pub(crate) fn fail(why: impl std::fmt::Display) -> ! {
    panic!("{why}")
}

impl Instance {
    pub(crate) fn new(host: Rc<dyn HostCalls>) -> Rc<Self> {
        Rc::new(Self {
            host,
            new_root: Cell::default(),
            new_stream: Cell::default(),
            new_http: Cell::default(),
            level: Cell::default(),
            active: Cell::new(0),
            http_calls: RefCell::default(),
            grpc_calls: RefCell::default(),
            grpc_streams: RefCell::default(),
            ended: Cell::new(false),
        })
    }
}
