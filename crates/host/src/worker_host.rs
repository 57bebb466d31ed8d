//! The part of the host on one thread.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sandgate_abi::Callback;

use crate::calls::deadline;
use crate::keys::{PluginKey, VmKey};
use crate::meter::Meter;
use crate::plugin::log_closed;
use crate::plugin_handle::PluginInstance;
use crate::shared::queue::Mailbox;
use crate::vm::context::Context;
use crate::vm::instance::{Outcome, Vm};
use crate::vm::spares::Spares;
use crate::vm::state::VmState;
use crate::vm::timers::Timers;
use crate::{Environment, FailurePolicy, Host, Plugin, PluginConfig, PluginError, PluginErrorCause, PluginHandle};

/// One thread's VMs, root contexts and timers. The main thread has one too, without streams.
pub struct WorkerHost {
    host: Arc<Host>,
    env: Rc<dyn Environment>,
    timers: Rc<Timers>,
    mailbox: Arc<Mailbox>,
    vms: RefCell<HashMap<VmKey, Weak<Vm>>>,
    plugins: RefCell<HashMap<(VmKey, PluginKey), Weak<PluginInstance>>>,
    /// Instances made so far.
    instances: Cell<u64>,
}

impl WorkerHost {
    /// The part for this thread.
    #[must_use]
    pub fn new(host: Arc<Host>, env: Rc<dyn Environment>) -> Rc<Self> {
        let mailbox = Mailbox::new(env.remote_waker());
        Rc::new(Self {
            host,
            env,
            timers: Rc::default(),
            mailbox,
            vms: RefCell::default(),
            plugins: RefCell::default(),
            instances: Cell::new(0),
        })
    }

    /// Makes (or shares) this thread's VM and root context for the plugin: start functions, `proxy_on_context_create`,
    /// `proxy_on_vm_start`, `proxy_on_configure`.
    ///
    /// # Errors
    /// The VM could not be made or the plugin refused. [`WorkerHost::failed_plugin_handle`] then serves by policy.
    pub fn plugin_handle(self: &Rc<Self>, plugin: &Arc<Plugin>) -> Result<Rc<PluginHandle>, PluginError> {
        let instance = self.instance(plugin)?;
        Ok(PluginHandle::new(Rc::clone(self), Arc::clone(plugin), Some(instance)))
    }

    /// As [`WorkerHost::plugin_handle`], but if that fails, which has been logged then, with
    /// [`WorkerHost::failed_plugin_handle`].
    #[must_use]
    pub fn plugin_handle_by_policy(self: &Rc<Self>, plugin: &Arc<Plugin>) -> Rc<PluginHandle> {
        self.plugin_handle(plugin).unwrap_or_else(|_| self.failed_plugin_handle(plugin))
    }

    /// A handle without a VM: every stream is failed or let through, as the policy says; to reload is tried after the backoff.
    ///
    /// Envoy lets such streams through whatever the policy, and does not reload.
    #[must_use]
    pub fn failed_plugin_handle(self: &Rc<Self>, plugin: &Arc<Plugin>) -> Rc<PluginHandle> {
        PluginHandle::new(Rc::clone(self), Arc::clone(plugin), None)
    }

    /// Whether streams pass without this plugin, whose code could not be had or is none. Says so once for this thread.
    #[must_use]
    pub fn lets_pass_without(&self, config: &PluginConfig) -> bool {
        log_closed(config, &mut |level, line| self.host.note(level, line));
        config.legacy_fail_open || config.failure_policy == FailurePolicy::FailOpen
    }

    /// The living instance of this plugin on this thread, or a new one.
    pub(crate) fn instance(&self, plugin: &Arc<Plugin>) -> Result<Rc<PluginInstance>, PluginError> {
        let key = (plugin.base.key, plugin.key);
        let living = self.plugins.borrow().get(&key).and_then(Weak::upgrade);
        if let Some(instance) = living.filter(|instance| !instance.vm.has_failed()) {
            return Ok(instance);
        }
        let instance = self.make(plugin).map_err(|cause| {
            cause.log(&self.host);
            PluginError { plugin: plugin.name().to_owned(), cause }
        })?;
        let mut plugins = self.plugins.borrow_mut();
        plugins.retain(|_, instance| instance.strong_count() > 0);
        plugins.insert(key, Rc::downgrade(&instance));
        Ok(instance)
    }

    fn make(&self, plugin: &Arc<Plugin>) -> Result<Rc<PluginInstance>, PluginErrorCause> {
        let key = plugin.base.key;
        let living = self.vms.borrow().get(&key).and_then(Weak::upgrade).filter(|vm| !vm.has_failed());
        let vm = match living {
            Some(vm) => vm,
            None => {
                let state = VmState::new(
                    Arc::clone(&self.host),
                    Rc::clone(&self.env),
                    Arc::clone(&plugin.base),
                    Rc::clone(&self.timers),
                    Arc::downgrade(&self.mailbox),
                );
                let vm = Vm::start(state)?;
                let mut vms = self.vms.borrow_mut();
                vms.retain(|_, vm| vm.strong_count() > 0);
                vms.insert(key, Rc::downgrade(&vm));
                vm
            }
        };
        let meter = self.meter(plugin);
        let root = start_root(&vm, plugin, &meter, true)?;
        meter.came_alive(vm.memory_size());
        let number = self.instances.get();
        self.instances.set(number + 1);
        let (expressions, spares) = (OnceCell::new(), Spares::default());
        Ok(Rc::new(PluginInstance { vm, root, number, expressions, spares, beside: None }))
    }

    /// What counts the plugin's doings on this thread, over all its instances.
    pub(crate) fn meter(&self, plugin: &Plugin) -> Arc<Meter> {
        self.host.meter(plugin, &self.env.worker_name())
    }

    /// When [`WorkerHost::run_due`] has something to do next, in the environment's monotonic nanoseconds.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Runs the ticks that are due at `now_ns`. The next period of each begins when its `proxy_on_tick` has returned.
    pub fn run_due(&self, now_ns: u64) {
        for (vm, root) in self.timers.take_due(now_ns) {
            let Some(vm) = vm.upgrade() else { continue };
            // A tick before this one may have ended it.
            if !vm.state.knows(&root) || vm.call(&root, Callback::Tick { root: root.id }).is_err() {
                continue;
            }
            let Some(state) = root.as_root() else { continue };
            let period = state.tick_period_ms.get();
            // A guest that has set the period anew has armed the timer with it.
            let living = !state.ending.get() || state.pending_done.get();
            if period != 0 && state.timer.get().is_none() && living {
                self.timers.arm(Rc::downgrade(&vm), &root, deadline(self.env.monotonic_ns(), period));
                self.env.timers_changed();
            }
        }
    }

    /// Delivers what other threads have sent here: `proxy_on_queue_ready`, once for every element that was put into a
    /// queue whose last registrant is a root context here; for a context that is gone, nothing.
    pub fn drain(&self) {
        for letter in self.mailbox.take() {
            let vm = self.vms.borrow().get(&letter.vm).and_then(Weak::upgrade);
            let Some(vm) = vm else { continue };
            let Some(root) = vm.state.context(letter.root).filter(|c| c.as_root().is_some()) else { continue };
            // A call that kills the VM is reported there.
            let _ = vm.call(&root, Callback::QueueReady { root: root.id, queue: letter.queue });
        }
    }

    /// `proxy_on_done` and `proxy_on_delete` for every root context, the last made first (as Envoy's threads end); those of
    /// the handles `last` when all others have ended. Streams should be over by now, and the handles still be there.
    pub fn shutdown(&self, last: &[Rc<PluginHandle>]) {
        let mut instances: Vec<_> = self.plugins.borrow().values().filter_map(Weak::upgrade).collect();
        let waits = |instance: &Rc<PluginInstance>| last.iter().any(|handle| handle.holds(instance));
        instances.sort_unstable_by_key(|instance| (waits(instance), std::cmp::Reverse(instance.number)));
        for instance in instances {
            instance.vm.shut_down_root(&instance.root);
        }
        // Nobody is left to wait for.
        let vms: Vec<_> = self.vms.borrow().values().filter_map(Weak::upgrade).collect();
        vms.iter().for_each(|vm| vm.let_go());
    }

    /// Contexts alive on this thread, roots and streams, of VMs that have not failed.
    #[must_use]
    pub fn context_count(&self) -> usize {
        self.vms.borrow().values().filter_map(Weak::upgrade).map(|vm| vm.state.context_count()).sum()
    }

    pub(crate) fn env(&self) -> &dyn Environment {
        &*self.env
    }
}

impl Drop for WorkerHost {
    fn drop(&mut self) {
        self.vms.get_mut().values().filter_map(Weak::upgrade).for_each(|vm| vm.let_go());
    }
}

impl fmt::Debug for WorkerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHost").field("next_deadline", &self.next_deadline()).finish_non_exhaustive()
    }
}

/// Makes the plugin's root context in `vm`: create, start, configure. A false answer leaves no context behind.
pub(crate) fn start_root(
    vm: &Vm,
    plugin: &Arc<Plugin>,
    meter: &Arc<Meter>,
    worker: bool,
) -> Result<Rc<Context>, PluginErrorCause> {
    let state = &vm.state;
    let root = Context::root(state.next_id(), Arc::clone(plugin), Arc::clone(meter));
    state.add(&root);
    let result = bring_up(vm, &root, worker);
    if result.is_err() {
        state.timers.disarm(&root);
        state.remove(&root);
    }
    result.map(|()| root)
}

fn bring_up(vm: &Vm, root: &Rc<Context>, worker: bool) -> Result<(), PluginErrorCause> {
    let id = root.id;
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let configuring = Cell::new(false);
    let configuring = root.as_root().map_or(&configuring, |state| &state.configuring);

    configuring.set(true);
    let created = vm.try_call(root, Callback::ContextCreate { context: id, parent: 0 });
    configuring.set(false);
    let config_size = size(&vm.state.base.config.configuration);
    created
        .and_then(|_| vm.try_call(root, Callback::VmStart { root: id, config_size }))
        .map_err(|fault| PluginErrorCause::Start { worker, fault })
        .and_then(|outcome| yes(outcome).ok_or(PluginErrorCause::Start { worker, fault: None }))?;

    let config_size = size(&root.plugin.config().configuration);
    configuring.set(true);
    let configured = vm.try_call(root, Callback::Configure { root: id, config_size });
    configuring.set(false);
    configured
        .map_err(|fault| PluginErrorCause::Configure { worker, fault })
        .and_then(|outcome| yes(outcome).ok_or(PluginErrorCause::Configure { worker, fault: None }))
}

/// A callback that is not exported agrees.
fn yes(outcome: Outcome) -> Option<()> {
    (outcome.value != Some(0)).then_some(())
}
