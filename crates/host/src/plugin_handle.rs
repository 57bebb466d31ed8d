//! A plugin on one thread, and what new streams get from it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sandgate_abi::{Callback, LogLevel};
use sandgate_attributes::AttributeSource;

use crate::limits::Limit;
use crate::meter::Reload;
use crate::vm::context::Context;
use crate::vm::expressions::Expressions;
use crate::vm::instance::Vm;
use crate::vm::spares::Spares;
use crate::{
    ContextOutcome, FailurePolicy, HttpContext, HttpStream, NetworkContext, NetworkOutcome, NetworkStream, Plugin,
    UpdatedStat, WorkerHost, stats_update,
};

/// Envoy's default of `reload_config.backoff.base_interval`.
const DEFAULT_RELOAD_BACKOFF_NS: u64 = 1_000_000_000;
/// A base interval below this would be busy work.
const MIN_RELOAD_BACKOFF_NS: u64 = 1_000_000;

/// A plugin on one thread. Streams that have begun keep what they need of it.
pub struct PluginHandle {
    plugin: Arc<Plugin>,
    worker: Rc<WorkerHost>,
    instance: RefCell<Option<Rc<PluginInstance>>>,
    last_load_ns: Cell<u64>,
}

/// A root context and its VM. With the last holder the context is shut down, and with its last plugin the VM.
pub(crate) struct PluginInstance {
    pub(crate) vm: Rc<Vm>,
    pub(crate) root: Rc<Context>,
    /// Later ones of a thread have greater numbers.
    pub(crate) number: u64,
    /// What expressions the plugin has made when it was configured, where each stream has its own.
    pub(crate) expressions: OnceCell<Expressions>,
    /// Where each stream has its own instance: those whose streams are over.
    pub(crate) spares: Spares,
    /// Of the VM of one stream: the thread's own instance.
    pub(crate) beside: Option<Rc<Self>>,
}

impl PluginHandle {
    pub(crate) fn new(worker: Rc<WorkerHost>, plugin: Arc<Plugin>, instance: Option<Rc<PluginInstance>>) -> Rc<Self> {
        let last_load_ns = Cell::new(worker.env().monotonic_ns());
        Rc::new(Self { plugin, worker, instance: RefCell::new(instance), last_load_ns })
    }

    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// A context for a new stream; call when the stream's filter chain is made. The host keeps only a weak reference to
    /// the stream. A failed VM may be made anew here.
    #[must_use]
    pub fn create_context(&self, stream: Rc<dyn HttpStream>) -> ContextOutcome {
        match self.for_stream() {
            Some(instance) => {
                let state = &instance.vm.state;
                let root = Rc::clone(&instance.root);
                let context = Context::stream(state.next_id(), Arc::clone(&self.plugin), root, Rc::downgrade(&stream));
                state.add(&context);
                ContextOutcome::Context(HttpContext::new(instance, context))
            }
            None if self.is_open() => ContextOutcome::Bypass,
            None => ContextOutcome::FailClosed,
        }
    }

    /// A context for a new connection; call when its filter chain is made. As [`PluginHandle::create_context`].
    #[must_use]
    pub fn create_network_context(&self, stream: &Rc<dyn NetworkStream>) -> NetworkOutcome {
        match self.for_stream() {
            Some(instance) => {
                let state = &instance.vm.state;
                let root = Rc::clone(&instance.root);
                let context =
                    Context::connection(state.next_id(), Arc::clone(&self.plugin), root, Rc::downgrade(stream));
                state.add(&context);
                NetworkOutcome::Context(NetworkContext::new(instance, context))
            }
            None if self.is_open() => NetworkOutcome::Bypass,
            None => NetworkOutcome::FailClosed,
        }
    }

    /// `proxy_on_log` of the root context, for an access log: tells it of a finished stream, whose header maps and attributes
    /// it can read meanwhile. Nothing if the VM has failed; it may be made anew here.
    pub fn log(&self, finished: Rc<dyn AttributeSource>) {
        let Some(instance) = self.living() else { return };
        let Some(root) = instance.root.as_root() else { return };
        root.logged.replace(Some(finished));
        // A call that kills the VM is reported there.
        let _ = instance.vm.call(&instance.root, Callback::Log { context: instance.root.id });
        root.logged.take();
    }

    /// `envoy_on_stats_update` of the root context, for a stats sink. Nothing if the VM has failed; it may be made anew here.
    pub fn stats_update(&self, stats: &[UpdatedStat<'_>]) {
        let Some(instance) = self.living() else { return };
        let Some(root) = instance.root.as_root() else { return };
        let callback = |size| Callback::StatsUpdate { root: instance.root.id, size };
        if !instance.vm.exports(&callback(0)) {
            return;
        }
        let data = stats_update::encode(stats);
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        root.call_data.replace(data);
        // A call that kills the VM is reported there.
        let _ = instance.vm.call(&instance.root, callback(size));
    }

    /// Whether streams that begin now get a context.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.instance.borrow().as_ref().is_some_and(|instance| !instance.vm.has_failed())
    }

    /// Where each stream has its own instance: how many of streams that are over wait for the next, at most 64.
    #[must_use]
    pub fn spare_instances(&self) -> usize {
        self.instance.borrow().as_ref().map_or(0, |instance| instance.spares.count())
    }

    pub(crate) fn holds(&self, instance: &Rc<PluginInstance>) -> bool {
        self.instance.borrow().as_ref().is_some_and(|own| Rc::ptr_eq(own, instance))
    }

    fn is_open(&self) -> bool {
        let config = self.plugin.config();
        config.failure_policy == FailurePolicy::FailOpen || config.legacy_fail_open
    }

    /// The instance for a new stream: the thread's own, or one made for it.
    fn for_stream(&self) -> Option<Rc<PluginInstance>> {
        let living = self.living()?;
        let Some(image) = self.plugin.image.get() else { return Some(living) };
        let state = &living.vm.state;
        let expressions = living.expressions.get_or_init(|| image.expressions(state.host.expressions()));
        let Some(claim) = state.base.claim(state.limits.instances) else {
            state.breach_in(Limit::Instances, Some(&living.root));
            return None;
        };
        match image.vm((state, &living.spares), &self.plugin, &living.root, expressions, claim) {
            Ok((vm, root)) => {
                let number = living.number;
                let (beside, expressions, spares) = (Some(living), OnceCell::new(), Spares::default());
                Some(Rc::new(PluginInstance { vm, root, number, expressions, spares, beside }))
            }
            Err(error) => {
                state.note(LogLevel::Error, format_args!("plugin {:?}: {error}", self.plugin.name()));
                None
            }
        }
    }

    fn living(&self) -> Option<Rc<PluginInstance>> {
        let instance = self.instance.borrow().clone();
        if let Some(instance) = instance.filter(|instance| !instance.vm.has_failed()) {
            return Some(instance);
        }
        if self.plugin.config().failure_policy == FailurePolicy::FailReload { self.reload() } else { None }
    }

    /// Makes the VM anew, unless that was tried too recently.
    fn reload(&self) -> Option<Rc<PluginInstance>> {
        let counts = &self.plugin.reloads;
        let now = self.worker.env().monotonic_ns();
        if now.saturating_sub(self.last_load_ns.get()) < self.backoff_ns() {
            counts.backoff.fetch_add(1, Relaxed);
            self.worker.meter(&self.plugin).reloaded(Reload::Backoff);
            return None;
        }
        self.last_load_ns.set(now);
        match self.worker.instance(&self.plugin) {
            Ok(instance) => {
                counts.success.fetch_add(1, Relaxed);
                self.worker.meter(&self.plugin).reloaded(Reload::Success);
                self.instance.replace(Some(Rc::clone(&instance)));
                Some(instance)
            }
            Err(_) => {
                counts.failure.fetch_add(1, Relaxed);
                self.worker.meter(&self.plugin).reloaded(Reload::Failure);
                None
            }
        }
    }

    /// Between one and one and a half times the base, chosen anew each time.
    fn backoff_ns(&self) -> u64 {
        let base = self.plugin.config().reload_backoff.map_or(DEFAULT_RELOAD_BACKOFF_NS, |base| {
            u64::try_from(base.as_nanos()).unwrap_or(u64::MAX).max(MIN_RELOAD_BACKOFF_NS)
        });
        let mut random = [0; 8];
        // Without random numbers there is no jitter, which does no harm.
        let _ = getrandom::fill(&mut random);
        base.saturating_add(u64::from_le_bytes(random) % (base / 2))
    }
}

impl fmt::Debug for PluginHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginHandle")
            .field("plugin", &self.plugin)
            .field("alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}

impl Drop for PluginInstance {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // The VM ends with its stream; its root context was never told of a beginning.
            self.vm.state.callouts.cancel(&self.root);
            if let Some(image) = self.root.plugin.image.get() {
                self.vm.retire(image.module(), &beside.spares, &beside.vm.state);
            }
            return;
        }
        self.vm.shut_down_root(&self.root);
        if let Some(root) = self.root.as_root().filter(|_| !self.vm.has_failed()) {
            root.meter.died();
        }
    }
}
