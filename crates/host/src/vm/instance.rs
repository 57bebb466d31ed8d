//! A guest and the one way into it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use sandgate_abi::{Callback, CallbackSet, LogLevel};
use sandgate_http::{Direction, HeaderMap};
use sandgate_vm::{Fault, LoadError, Module, PluginVm};

use super::action::{Action, MAX_REENTRIES};
use super::base::{InstanceClaim, VmCount};
use super::callouts::CalloutStatus;
use super::connection::ConnectionState;
use super::context::{Context, ContextKind};
use super::spares::Spares;
use super::state::{VmHost, VmState};
use crate::limits::Limit;
use crate::plugin_error::PluginErrorCause;
use crate::{HttpCallResponse, Plugin, fail_stream_reply};

/// What `proxy_get_status` says of an HTTP call that was reset: `WasmResult::BrokenConnection`.
const CALL_RESET: u32 = 11;

/// One VM on one thread.
pub(crate) struct Vm {
    pub(crate) state: Rc<VmState>,
    /// Borrowed while the guest runs, so that it cannot be entered twice. Empty once it has failed.
    guest: RefCell<Option<Box<dyn PluginVm<VmHost>>>>,
    exports: CallbackSet,
    failed: Cell<bool>,
    acting: Cell<bool>,
    /// Itself, while a root context whose plugin is gone is not done.
    kept: RefCell<Option<Rc<Self>>>,
    /// Not of streams.
    _counted: Option<VmCount>,
    _claim: InstanceClaim,
}

/// What a callback came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the guest returned; `None` if it does not export the callback.
    pub(crate) value: Option<u32>,
    /// A local response was asked for.
    pub(crate) stop: bool,
}

/// The VM has failed, now or before, and was not entered or did not return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dead;

impl Vm {
    /// Makes an instance and runs its start functions.
    pub(crate) fn start(state: Rc<VmState>) -> Result<Rc<Self>, PluginErrorCause> {
        let base = &state.base;
        let most = state.limits.instances;
        let Some(claim) = base.claim(most) else {
            state.breach_in(Limit::Instances, None);
            return Err(PluginErrorCause::TooManyInstances { limit: most.unwrap_or_default() });
        };
        let counted = VmCount::new(&base.counts);
        let mut guest =
            base.module.instantiate(VmHost(Rc::clone(&state)), &base.config.limits, &base.config.capabilities)?;
        guest.start().map_err(|fault| {
            state.count_fault(&fault);
            state.note(
                LogLevel::Error,
                format_args!("{}", Failure { fault: &fault, plugin: None, vm_id: &base.config.vm_id }),
            );
            PluginErrorCause::Initialize(fault)
        })?;
        Ok(Self::around(Rc::clone(&state), guest, Some(counted), claim))
    }

    /// Takes a spare instance of a module whose instances have been started, or makes one. It is not counted: streams are.
    pub(crate) fn from_image(
        state: Rc<VmState>,
        module: &Arc<dyn Module<VmHost>>,
        spares: &Spares,
        claim: InstanceClaim,
    ) -> Result<Rc<Self>, LoadError> {
        let config = &state.base.config;
        let guest = match spares.take(module, &state) {
            Some(spare) => spare,
            None => module.instantiate(VmHost(Rc::clone(&state)), &config.limits, &config.capabilities)?,
        };
        Ok(Self::around(state, guest, None, claim))
    }

    fn around(
        state: Rc<VmState>,
        guest: Box<dyn PluginVm<VmHost>>,
        counted: Option<VmCount>,
        claim: InstanceClaim,
    ) -> Rc<Self> {
        let exports = state.base.config.capabilities.callbacks(state.base.module.exports());
        let vm = Rc::new(Self {
            guest: RefCell::new(Some(guest)),
            exports,
            failed: Cell::new(false),
            acting: Cell::new(false),
            kept: RefCell::default(),
            _counted: counted,
            _claim: claim,
            state,
        });
        *vm.state.vm.borrow_mut() = Rc::downgrade(&vm);
        vm
    }

    /// Gives the instance of that module away, whose stream is over, beside the VM of that state.
    pub(crate) fn retire(&self, module: &Arc<dyn Module<VmHost>>, spares: &Spares, beside: &Rc<VmState>) {
        if self.failed.get() {
            return;
        }
        let guest = self.guest.try_borrow_mut().ok().and_then(|mut guest| guest.take());
        if let Some(guest) = guest {
            spares.put(module, guest, beside);
        }
    }

    /// A module whose instances begin as this one is now.
    pub(crate) fn image(&self) -> Result<Vec<u8>, LoadError> {
        let mut guest = self.guest.try_borrow_mut().ok();
        let guest = guest.as_mut().and_then(|guest| guest.as_mut());
        let guest = guest.ok_or_else(|| LoadError::NotImageable("it is running, or has failed".to_owned()))?;
        guest.image(&self.state.base.config.code)
    }

    /// Bytes of linear memory; 0 while the guest runs, or if it has failed.
    pub(crate) fn memory_size(&self) -> u64 {
        let guest = self.guest.try_borrow();
        guest.ok().and_then(|guest| Some(guest.as_ref()?.memory_size() as u64)).unwrap_or(0)
    }

    /// Whether a frame of the guest is on the stack.
    pub(crate) fn is_running(&self) -> bool {
        self.guest.try_borrow_mut().is_err()
    }

    pub(crate) fn exports(&self, callback: &Callback) -> bool {
        self.exports.contains(callback.kind())
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Calls the guest for `context`, then does what it asked to be done afterwards.
    pub(crate) fn call(&self, context: &Rc<Context>, callback: Callback) -> Result<Outcome, Dead> {
        self.try_call(context, callback).map_err(|_| Dead)
    }

    /// Like [`Self::call`]; on the call that killed the VM the error holds the reason.
    pub(crate) fn try_call(&self, context: &Rc<Context>, callback: Callback) -> Result<Outcome, Option<Fault>> {
        if self.failed.get() {
            return Err(None);
        }
        let kind = callback.kind();
        if !self.exports.contains(kind) {
            return Ok(Outcome { value: None, stop: false });
        }
        let stream_cpu = if context.as_root().is_none() { self.state.stream_cpu_ns(kind) } else { None };
        if let Some(most) = stream_cpu
            && context.cpu_ns.get() >= most
        {
            self.state.stream_cpu_spent(context, kind);
            return Err(None);
        }
        let result = {
            let Ok(mut guest) = self.guest.try_borrow_mut() else {
                // Nothing that runs under a guest may get here; a stream that does is not worth a broken guest.
                let export = callback.kind().export();
                self.state.note(LogLevel::Critical, format_args!("{export} skipped: the plugin is running already"));
                return Ok(Outcome { value: None, stop: false });
            };
            let Some(guest) = &mut *guest else { return Err(None) };
            self.state.stop.set(false);
            let outer = self.state.current.replace(Some(Rc::clone(context)));
            let outer_effective = self.state.effective.take();
            self.state.callback.set(Some(callback.kind()));
            let meter = context.meter();
            let env = &*self.state.env;
            let stream_began = stream_cpu.and_then(|_| env.thread_cpu_ns());
            let began = meter.and_then(|meter| meter.begin(kind, env));
            let result = guest.call(callback);
            if let Some(meter) = meter {
                meter.end(kind, began, guest.memory_size() as u64, env);
            }
            if let Some(took) = stream_began.and_then(|began| env.thread_cpu_ns()?.checked_sub(began)) {
                context.cpu_ns.set(context.cpu_ns.get().saturating_add(took));
            }
            self.state.current.replace(outer);
            self.state.effective.replace(outer_effective);
            result
        };
        let stop = self.state.stop.take();
        match result {
            Ok(value) => {
                self.act();
                Ok(Outcome { value, stop })
            }
            Err(fault) => {
                self.fail(&fault, context);
                Err(Some(fault))
            }
        }
    }

    /// The VM is dead: says so once, and lets no stream wait for it.
    fn fail(&self, fault: &Fault, context: &Context) {
        if self.failed.replace(true) {
            return;
        }
        self.state.count_fault(fault);
        if let Some(meter) = context.meter() {
            meter.trapped(fault, &*self.state.env);
        }
        let vm_id = &self.state.base.config.vm_id;
        self.state.note(LogLevel::Error, format_args!("{}", Failure { fault, plugin: Some(&context.plugin), vm_id }));
        if let Ok(mut guest) = self.guest.try_borrow_mut() {
            *guest = None;
        }
        // What a call asked for that did not return is not done.
        self.state.actions.borrow_mut().clear();
        for context in self.state.take_contexts() {
            self.state.timers.disarm(&context);
            if let Some(root) = context.as_root() {
                if !self.state.is_for_stream {
                    root.meter.died();
                }
                self.state.callouts.grpc.cancel_all(&context);
                self.state.callouts.dns.cancel_all(&context);
            }
            let waits = match &context.kind {
                ContextKind::Root(_) => false,
                ContextKind::Stream(stream) => stream.waits(),
                ContextKind::Connection(connection) => connection.waits.get(),
            };
            if waits {
                fail_stream(&context);
            }
        }
        self.let_go();
        self.state.env.timers_changed();
    }

    /// Does what was left for after the call, in order, until nothing is left. Never within itself.
    fn act(&self) {
        if self.state.actions.borrow().is_empty() || self.acting.replace(true) {
            return;
        }
        let mut entries = 0;
        loop {
            let action = self.state.actions.borrow_mut().pop_front();
            let Some(action) = action else { break };
            if action.enters() && !action.is_ours() {
                entries += 1;
            }
            if entries > MAX_REENTRIES {
                let vm_id = &self.state.base.config.vm_id;
                let what = format_args!(
                    "a plugin of vm_id {vm_id:?} caused more than {MAX_REENTRIES} callbacks in one call: the rest is dropped"
                );
                self.state.note(LogLevel::Error, what);
                self.state.actions.borrow_mut().retain(Action::is_ours);
                entries = 0;
                continue;
            }
            self.perform(action);
        }
        self.acting.set(false);
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Resume(context, direction) => {
                if let Some(state) = context.as_stream()
                    && let Some(stream) = state.stream()
                {
                    state.stopped(direction).set(false);
                    stream.resume(direction);
                }
            }
            Action::ContinueReading(context) => {
                if let Some(state) = context.as_connection()
                    && let Some(stream) = state.stream()
                {
                    state.waits.set(false);
                    stream.continue_reading();
                }
            }
            Action::CloseConnection(context, details) => {
                if let Some(state) = context.as_connection()
                    && let Some(stream) = state.stream()
                {
                    state.waits.set(false);
                    stream.close(details);
                }
            }
            Action::Close(context) => {
                if let Some(state) = context.as_stream()
                    && let Some(stream) = state.stream()
                {
                    state.waits_no_more();
                    stream.close("wasm_close_stream");
                }
            }
            Action::Reply(context, reply) => {
                if let Some(state) = context.as_stream()
                    && let Some(stream) = state.stream()
                {
                    state.waits_no_more();
                    stream.send_local_reply(*reply);
                }
            }
            Action::Grpc { root, token, event } if self.state.knows(&root) => self.tell_grpc(&root, token, event),
            Action::Grpc { .. } => {}
            Action::AfterGrpc { root, token, ends } => self.after_grpc(&root, token, ends),
            Action::EndRoot(root) => self.end_root(&root),
            Action::DeleteRoot(root) => self.delete_root(&root),
        }
    }

    /// The answer to an HTTP call has come; `None` if it was reset. Nothing for a call that was cancelled, or of a root context that
    /// is gone.
    pub(crate) fn http_call_done(&self, token: u32, response: Option<HttpCallResponse>) {
        let callouts = &self.state.callouts;
        let Some(root) = callouts.take_http(token).filter(|root| self.state.knows(root)) else { return };
        let Some(response) = response else {
            let callback = Callback::HttpCallResponse { root: root.id, token, headers: 0, body_size: 0, trailers: 0 };
            return self.call_with_status(&root, CALL_RESET, Bytes::from_static(b"reset"), callback);
        };
        let count = |map: &HeaderMap| u32::try_from(map.len()).unwrap_or(u32::MAX);
        let callback = Callback::HttpCallResponse {
            root: root.id,
            token,
            headers: count(&response.headers),
            body_size: u32::try_from(response.body.len()).unwrap_or(u32::MAX),
            trailers: response.trailers.as_ref().map_or(0, count),
        };
        callouts.response.replace(Some((root.id, response)));
        // A call that kills the VM is reported there.
        let _ = self.call(&root, callback);
        callouts.response.take();
    }

    /// Calls the guest while `proxy_get_status` has a code, which stays, and a message, which does not.
    fn call_with_status(&self, root: &Rc<Context>, code: u32, message: Bytes, callback: Callback) {
        let set = |message| {
            if let Some(state) = root.as_root() {
                state.callout_status.replace(CalloutStatus { code, message });
            }
        };
        set(message);
        // A call that kills the VM is reported there.
        let _ = self.call(root, callback);
        set(Bytes::new());
    }

    /// Ends a root context now, or after the running call if there is one.
    pub(crate) fn shut_down_root(&self, root: &Rc<Context>) {
        let ending = root.as_root().is_none_or(|state| state.ending.replace(true));
        if ending || self.failed.get() {
            return;
        }
        self.state.later(Action::EndRoot(Rc::clone(root)));
        if self.guest.try_borrow_mut().is_ok() {
            self.act();
        }
    }

    fn end_root(&self, root: &Rc<Context>) {
        let done = self.call(root, Callback::Done { context: root.id });
        match done {
            Ok(Outcome { value: Some(0), .. }) => {
                if let Some(state) = root.as_root() {
                    state.pending_done.set(true);
                    self.kept.replace(self.state.vm.borrow().upgrade());
                }
            }
            Ok(_) => self.delete_root(root),
            Err(Dead) => {}
        }
    }

    fn delete_root(&self, root: &Rc<Context>) {
        self.state.timers.disarm(root);
        self.state.callouts.cancel(root);
        // A call that kills the VM has emptied the table by itself.
        let _ = self.call(root, Callback::Delete { context: root.id });
        self.state.remove(root);
        if !self.state.waits_for_a_root() {
            self.let_go();
        }
    }

    /// Does not wait for root contexts that are not done.
    pub(crate) fn let_go(&self) {
        drop(self.kept.take());
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Of root contexts that nobody waits for any more.
        self.state.take_contexts().iter().for_each(|context| self.state.timers.disarm(context));
    }
}

/// Tells a stream or a connection that its plugin has failed: the old `fail_open` lets it go on, else it ends, a stream with 503.
pub(crate) fn fail_stream(context: &Context) {
    let state = match &context.kind {
        ContextKind::Root(_) => return,
        ContextKind::Connection(connection) => return fail_connection(context, connection),
        ContextKind::Stream(stream) => stream,
    };
    if state.failed.replace(true) {
        return;
    }
    let Some(stream) = state.stream() else { return };
    if context.plugin.config().legacy_fail_open {
        for direction in [Direction::Request, Direction::Response] {
            if state.stopped(direction).take() {
                stream.resume(direction);
            }
        }
    } else {
        stream.send_local_reply(fail_stream_reply());
    }
}

fn fail_connection(context: &Context, state: &ConnectionState) {
    if state.failed.replace(true) {
        return;
    }
    let Some(stream) = state.stream() else { return };
    if !context.plugin.config().legacy_fail_open {
        // Without a reason (observed in Envoy 1.40).
        stream.close("");
    } else if state.waits.take() {
        stream.continue_reading();
    }
}

/// Envoy's line about a fault, and who it was.
struct Failure<'a> {
    fault: &'a Fault,
    plugin: Option<&'a Plugin>,
    vm_id: &'a str,
}

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, plugin, vm_id } = self;
        write!(f, "{fault}")?;
        if let Some(plugin) = plugin {
            write!(f, " (plugin {:?}, root_id {:?}, vm_id {vm_id:?})", plugin.name(), plugin.config().root_id)?;
        }
        if !fault.backtrace.is_empty() {
            write!(f, "\nProxy-Wasm plugin in-VM backtrace:")?;
        }
        for (number, frame) in fault.backtrace.iter().enumerate() {
            write!(f, "\n{number:>3}:  {frame}")?;
        }
        Ok(())
    }
}
