//! The host's side of one VM: what its hostcalls act on.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::{Rc, Weak};
use std::sync::{Arc, Weak as SyncWeak};

use sandgate_abi::{CallbackKind, LogLevel, Status};

use super::action::{Action, MAX_ACTIONS};
use super::base::BaseVm;
use super::callouts::CalloutTable;
use super::context::Context;
use super::instance::Vm;
use super::timers::Timers;
use crate::explain::ExplainBudget;
use crate::limits::Limit;
use crate::shared::metrics::Metric;
use crate::shared::queue::Mailbox;
use crate::{Environment, Host, HostLimits};

/// The host of one VM, as engines know it: the hostcalls.
#[derive(Clone, Debug)]
pub struct VmHost(pub(crate) Rc<VmState>);

/// State of one VM on the host's side. Everything behind cells: a hostcall borrows briefly and holds nothing after.
pub(crate) struct VmState {
    pub(crate) host: Arc<Host>,
    pub(crate) env: Rc<dyn Environment>,
    pub(crate) base: Arc<BaseVm>,
    /// What the host keeps for this VM's plugins.
    pub(crate) limits: Arc<HostLimits>,
    /// The worker's; a trial VM has its own, which nobody runs.
    pub(crate) timers: Rc<Timers>,
    pub(crate) mailbox: SyncWeak<Mailbox>,
    pub(crate) is_abi_0_1_0: bool,
    /// The VM around this state, once it is made.
    pub(crate) vm: RefCell<Weak<Vm>>,
    contexts: RefCell<ContextTable>,
    last_id: Cell<u32>,
    /// The context whose callback runs; `None` outside callbacks and in start functions (Envoy's VM context, id 0).
    pub(crate) current: RefCell<Option<Rc<Context>>>,
    /// What `proxy_set_effective_context` chose in this callback.
    pub(crate) effective: RefCell<Option<Rc<Context>>>,
    /// A local response was asked for in this callback, so that its stream stops whatever it returns.
    pub(crate) stop: Cell<bool>,
    pub(crate) actions: RefCell<VecDeque<Action>>,
    /// Metrics by the guest's ids: the id's upper 30 bits less one, per kind.
    pub(crate) metrics: RefCell<[Vec<Arc<Metric>>; 3]>,
    pub(crate) callouts: CalloutTable,
    /// Which hostcalls have been reported as not supported.
    pub(crate) reported: RefCell<Vec<&'static str>>,
    pub(crate) log_budget: Cell<LogBudget>,
    /// The callback that runs; `None` in start functions.
    pub(crate) callback: Cell<Option<CallbackKind>>,
    pub(crate) explain_budget: Cell<ExplainBudget>,
    /// The VM is one stream's own: what it asks for that outlives streams is refused.
    pub(crate) is_for_stream: bool,
}

/// Bytes logged in the present second, and lines dropped in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogBudget {
    pub(crate) second: u64,
    pub(crate) bytes: u64,
    pub(crate) dropped: u64,
}

type ContextTable = HashMap<u32, Rc<Context>, BuildHasherDefault<IdHasher>>;

/// Ids are consecutive: spread them and be done.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }
    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl VmState {
    pub(crate) fn new(
        host: Arc<Host>,
        env: Rc<dyn Environment>,
        base: Arc<BaseVm>,
        timers: Rc<Timers>,
        mailbox: SyncWeak<Mailbox>,
    ) -> Rc<Self> {
        Rc::new(Self::blank(host, env, base, timers, mailbox))
    }

    /// Of a VM for one stream, in which the only context is a root context of that id, beside the thread's own VM.
    pub(crate) fn for_stream(beside: &Self, metrics: [Vec<Arc<Metric>>; 3], root: u32) -> Rc<Self> {
        let (env, timers) = (Rc::clone(&beside.env), Rc::clone(&beside.timers));
        let blank =
            Self::blank(Arc::clone(&beside.host), env, Arc::clone(&beside.base), timers, beside.mailbox.clone());
        Rc::new(Self { is_for_stream: true, last_id: Cell::new(root), metrics: RefCell::new(metrics), ..blank })
    }

    fn blank(
        host: Arc<Host>,
        env: Rc<dyn Environment>,
        base: Arc<BaseVm>,
        timers: Rc<Timers>,
        mailbox: SyncWeak<Mailbox>,
    ) -> Self {
        Self {
            is_abi_0_1_0: base.module.is_abi_0_1_0(),
            limits: Arc::clone(base.config.host_limits.as_ref().unwrap_or(host.limits())),
            host,
            env,
            base,
            timers,
            mailbox,
            vm: RefCell::default(),
            contexts: RefCell::default(),
            last_id: Cell::new(0),
            current: RefCell::default(),
            effective: RefCell::default(),
            stop: Cell::new(false),
            actions: RefCell::default(),
            metrics: RefCell::default(),
            callouts: CalloutTable::default(),
            reported: RefCell::default(),
            log_budget: Cell::default(),
            callback: Cell::default(),
            explain_budget: Cell::default(),
            is_for_stream: false,
        }
    }

    /// A fresh id: the next one that no living context has.
    pub(crate) fn next_id(&self) -> u32 {
        let contexts = self.contexts.borrow();
        let mut id = self.last_id.get();
        loop {
            id = id.wrapping_add(1);
            if id != 0 && !contexts.contains_key(&id) {
                self.last_id.set(id);
                return id;
            }
        }
    }

    pub(crate) fn add(&self, context: &Rc<Context>) {
        self.contexts.borrow_mut().insert(context.id, Rc::clone(context));
    }

    pub(crate) fn remove(&self, context: &Context) {
        self.contexts.borrow_mut().remove(&context.id);
    }

    /// Whether the context still lives.
    pub(crate) fn knows(&self, context: &Rc<Context>) -> bool {
        self.contexts.borrow().get(&context.id).is_some_and(|living| Rc::ptr_eq(living, context))
    }

    pub(crate) fn context(&self, id: u32) -> Option<Rc<Context>> {
        self.contexts.borrow().get(&id).cloned()
    }

    /// Takes all contexts out, in the order of their ids.
    pub(crate) fn take_contexts(&self) -> Vec<Rc<Context>> {
        let mut all: Vec<_> = self.contexts.take().into_values().collect();
        all.sort_unstable_by_key(|context| context.id);
        all
    }

    /// Whether a root context has said that it is not done, and not yet that it is.
    pub(crate) fn waits_for_a_root(&self) -> bool {
        let contexts = self.contexts.borrow();
        contexts.values().any(|context| context.as_root().is_some_and(|root| root.pending_done.get()))
    }

    pub(crate) fn context_count(&self) -> usize {
        self.contexts.borrow().len()
    }

    /// The context that hostcalls act on: the effective one, else that of the running callback.
    pub(crate) fn acting(&self) -> Option<Rc<Context>> {
        if let Some(effective) = &*self.effective.borrow() {
            return Some(Rc::clone(effective));
        }
        self.current.borrow().clone()
    }

    /// Leaves something for after the call. Beyond a bound it is dropped, once with a line in the log.
    pub(crate) fn later(&self, action: Action) {
        let mut actions = self.actions.borrow_mut();
        if actions.len() < MAX_ACTIONS || action.is_ours() {
            actions.push_back(action);
            return;
        }
        drop(actions);
        let mut reported = self.reported.borrow_mut();
        if !reported.contains(&"actions") {
            reported.push("actions");
            drop(reported);
            let vm_id = &self.base.config.vm_id;
            self.note(
                LogLevel::Error,
                format_args!("a plugin of vm_id {vm_id:?} asked for more than {MAX_ACTIONS} actions in one call: the rest is dropped"),
            );
        }
    }

    /// A plugin is held to a limit: counted, and told once for each VM and limit. What the guest is answered.
    #[cold]
    pub(crate) fn breach(&self, limit: Limit) -> Status {
        self.breach_in(limit, self.current.borrow().as_deref());
        Status::InternalFailure
    }

    /// The same in the callback of a context.
    #[cold]
    pub(crate) fn breach_in(&self, limit: Limit, context: Option<&Context>) {
        self.host.breaches().count(limit);
        let (name, most) = (limit.name(), limit.most(&self.limits, &self.base.config.limits));
        if self.reported.borrow().contains(&name) {
            return;
        }
        self.reported.borrow_mut().push(name);
        let vm_id = &self.base.config.vm_id;
        let who = match context {
            Some(context) => {
                let config = context.plugin.config();
                format!("plugin {:?} (root_id {:?}, vm_id {vm_id:?})", config.name, config.root_id)
            }
            None => format!("a plugin of vm_id {vm_id:?}"),
        };
        let callback = self.callback.get().map(|kind| format!(" in {}", kind.export())).unwrap_or_default();
        self.note(
            LogLevel::Error,
            format_args!("{who} has reached the limit {name} of {most}{callback}: more is refused"),
        );
    }

    /// Writes a line of the host's own about this VM.
    pub(crate) fn note(&self, level: LogLevel, line: fmt::Arguments<'_>) {
        self.host.note(level, line);
    }
}

impl fmt::Debug for VmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VmState").field("vm_id", &self.base.config.vm_id).finish_non_exhaustive()
    }
}
