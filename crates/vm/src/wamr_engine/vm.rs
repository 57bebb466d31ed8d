//! A running instance.

use std::ffi::{CStr, CString};
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use sandgate_abi::{Callback, CallbackKind, MAX_ARGUMENTS};
use wamrx_sys as c;

use super::guest::{Context, Entry, memory_size};
use super::module::{Export, Shared};
use super::watchdog::{Terminate, Watched};
use crate::foreign_calls::HostCall;
use crate::guest::{Phase, State, Stop};
use crate::{Fault, FaultKind, HostCalls, Limits, LoadError, PluginVm};

/// For the frames of the interpreter. Every instance has so much, which is written to once.
const STACK: u32 = 256 << 10;

pub(super) struct WamrVm<H: HostCalls> {
    raw: NonNull<c::WASMModuleInstanceCommon>,
    /// Owned. C holds it too, and hostcalls use it while a guest call runs; in between it is ours.
    context: NonNull<Context<H>>,
    watched: Option<Watched>,
    module: Arc<Shared>,
    /// By the number of [`CallbackKind`].
    callbacks: Vec<Option<Function>>,
    callback_cpu: Duration,
    start_cpu: Duration,
    dead: bool,
}

/// A function of the instance.
#[derive(Clone, Copy)]
struct Function {
    raw: c::wasm_function_inst_t,
    words: usize,
    returns: bool,
}

/// The instance as the watchdog knows it.
struct Running(NonNull<c::WASMModuleInstanceCommon>);

// SAFETY: WAMR's instances may be terminated by any thread. The watchdog does so only while a call of it runs.
unsafe impl Send for Running {}

// === impl WamrVm ===

impl<H: HostCalls> WamrVm<H> {
    pub(super) fn new(
        host: H,
        module: &Arc<Shared>,
        functions: Arc<[&'static HostCall]>,
        limits: &Limits,
    ) -> Result<Self, LoadError> {
        // SAFETY: WAMR has been started.
        if !unsafe { c::wasm_runtime_init_thread_env() } {
            return Err(LoadError::Instantiate("no thread environment".to_owned()));
        }
        let raw = module.instantiate(STACK, limits)?;
        let context = Box::new(Context {
            entry: Entry { functions },
            state: State::new(host),
            environment: std::ptr::null_mut(),
            memory: std::ptr::null_mut(),
            allocator: std::ptr::null_mut(),
            stop: None,
            panic: None,
        });
        // From here on dropping it gives everything back.
        let mut vm = Self {
            raw,
            context: NonNull::from(Box::leak(context)),
            watched: None,
            module: Arc::clone(module),
            callbacks: Vec::new(),
            callback_cpu: limits.callback_cpu,
            start_cpu: limits.start_cpu,
            dead: false,
        };
        vm.connect()?;
        if module.has_start_section {
            let section = Shared::start_section().and_then(|name| vm.function(&name, 0, false));
            let section = section.ok_or_else(|| LoadError::Instantiate("the start section has gone".to_owned()))?;
            vm.call_function(section, &[], limits.start_cpu)
                .map_err(|kind| LoadError::Instantiate(kind.to_string()))?;
        }
        Ok(vm)
    }

    /// Lets instance and context know each other.
    fn connect(&mut self) -> Result<(), LoadError> {
        let (raw, context) = (self.raw.as_ptr(), self.context.as_ptr());
        // SAFETY: the instance lives, and the context longer than the environment that is given its address.
        let (environment, memory) = unsafe {
            let environment = c::wasm_runtime_create_exec_env(raw, STACK);
            if environment.is_null() {
                return Err(LoadError::Instantiate("no room for a stack".to_owned()));
            }
            c::wasm_runtime_set_user_data(environment, context.cast());
            (environment, c::wasm_runtime_get_default_memory(raw))
        };
        let shares_memory = self.module.shares_memory;
        let allocator = CString::new(self.module.allocator).ok().and_then(|name| self.function(&name, 1, true));
        let callbacks = self.module.callbacks.iter().map(|export| {
            let Export { name, words, returns } = export.as_ref()?;
            self.function(name, *words, *returns)
        });
        self.callbacks = callbacks.collect();
        let context = self.context_mut();
        context.environment = environment;
        if shares_memory {
            context.memory = memory;
        }
        context.allocator = allocator.ok_or_else(|| LoadError::Instantiate("the allocator has gone".to_owned()))?.raw;
        let watched = Watched::start(Box::new(Running(self.raw)));
        self.watched = Some(watched.map_err(|error| LoadError::Instantiate(error.to_string()))?);
        Ok(())
    }

    fn function(&self, name: &CStr, words: usize, returns: bool) -> Option<Function> {
        // SAFETY: the instance lives, and the name outlives the call.
        let raw = unsafe { c::wasm_runtime_lookup_function(self.raw.as_ptr(), name.as_ptr()) };
        (!raw.is_null()).then_some(Function { raw, words, returns })
    }

    fn context(&self) -> &Context<H> {
        // SAFETY: it lives as long as `self`, and no guest call runs: that would have borrowed `self` mutably.
        unsafe { self.context.as_ref() }
    }

    fn context_mut(&mut self) -> &mut Context<H> {
        // SAFETY: the same.
        unsafe { self.context.as_mut() }
    }

    /// Calls a function of the instance. Words beyond those that it takes are dropped (the headers callbacks of ABI 0.1.0).
    fn call_function(&mut self, function: Function, words: &[u32], cpu: Duration) -> Result<u32, FaultKind> {
        let environment = self.context().environment;
        let mut cells = [0; MAX_ARGUMENTS];
        for (cell, word) in cells.iter_mut().zip(words) {
            *cell = *word;
        }
        let count = function.words.min(MAX_ARGUMENTS) as u32;
        if let Some(watched) = &self.watched {
            watched.begin(cpu);
        }
        // SAFETY: the instance lives, on this thread; the function is one of its own and takes so many words, for which
        // and for whose result there is room; and no reference to the context is held, so that hostcalls may use it.
        let returned = unsafe { c::wasm_runtime_call_wasm(environment, function.raw, count, cells.as_mut_ptr()) };
        let stopped = self.watched.as_ref().is_some_and(Watched::end);
        if returned && !stopped {
            return Ok(if function.returns { cells[0] } else { 0 });
        }
        Err(self.failed(stopped.then_some(cpu)))
    }

    #[cold]
    fn failed(&mut self, exceeded: Option<Duration>) -> FaultKind {
        let context = self.context_mut();
        if let Some(panic) = context.panic.take() {
            self.dead = true;
            resume_unwind(panic);
        }
        match (context.stop.take(), exceeded) {
            (Some(stop), _) => stop.into(),
            (None, Some(limit)) => Stop::CpuLimit(limit).into(),
            (None, None) => FaultKind::Trap(self.exception()),
        }
    }

    /// What WAMR says of a call that failed.
    fn exception(&self) -> String {
        // SAFETY: the instance lives, and no call of it runs that could change the text.
        unsafe {
            let text = c::wasm_runtime_get_exception(self.raw.as_ptr());
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }

    fn die(&mut self, function: &'static str, callback: Option<CallbackKind>, kind: FaultKind) -> Fault {
        self.dead = true;
        let in_allocator = self.context().state.phase == Phase::Allocator;
        let function = if in_allocator { self.module.allocator } else { function };
        Fault { function, callback, kind, backtrace: Vec::new() }
    }

    fn run_start_function(&mut self, name: &'static str) -> Result<(), FaultKind> {
        let words = if name == "main" { 2 } else { 0 };
        let function = CString::new(name).ok().and_then(|name| self.function(&name, words, false));
        let function = function.ok_or_else(|| FaultKind::Trap(format!("export {name} has gone")))?;
        self.call_function(function, &[], self.start_cpu).map(drop)
    }
}

impl<H: HostCalls> PluginVm<H> for WamrVm<H> {
    fn start(&mut self) -> Result<(), Fault> {
        let module = Arc::clone(&self.module);
        self.context_mut().state.phase = Phase::Start;
        for name in &module.start {
            if self.dead {
                return Err(dead(name, None));
            }
            match self.run_start_function(name) {
                Ok(()) => {}
                Err(FaultKind::Exit(0)) => {
                    // SAFETY: the instance lives, and no call of it runs.
                    unsafe { c::wasm_runtime_clear_exception(self.raw.as_ptr()) };
                    break;
                }
                Err(kind) => return Err(self.die(name, None, kind)),
            }
        }
        self.context_mut().state.phase = Phase::Running;
        Ok(())
    }

    fn call(&mut self, callback: Callback) -> Result<Option<u32>, Fault> {
        let kind = callback.kind();
        if self.dead {
            return Err(dead(kind.export(), Some(kind)));
        }
        let Some(function) = self.callbacks.get(usize::from(kind as u8)).copied().flatten() else { return Ok(None) };
        let starting = match callback {
            Callback::ContextCreate { parent, .. } => parent == 0,
            _ => matches!(kind, CallbackKind::VmStart | CallbackKind::Configure | CallbackKind::ValidateConfiguration),
        };
        let cpu = if starting { self.start_cpu } else { self.callback_cpu };
        self.call_function(function, &callback.arguments(), cpu)
            .map(Some)
            .map_err(|failed| self.die(kind.export(), Some(kind), failed))
    }

    fn host(&self) -> &H {
        &self.context().state.host
    }

    fn memory_size(&self) -> usize {
        // SAFETY: the instance lives, on this thread.
        unsafe { memory_size(self.context().memory) }
    }
}

impl<H: HostCalls> Drop for WamrVm<H> {
    fn drop(&mut self) {
        // The watchdog forgets the instance before it goes.
        self.watched = None;
        let environment = self.context().environment;
        // SAFETY: all three were made by `new` and are nobody else's; no call runs, and none will.
        unsafe {
            if !environment.is_null() {
                c::wasm_runtime_destroy_exec_env(environment);
            }
            c::wasm_runtime_deinstantiate(self.raw.as_ptr());
            drop(Box::from_raw(self.context.as_ptr()));
        }
    }
}

impl Terminate for Running {
    fn terminate(&self) {
        // SAFETY: a call of the instance runs, and it will not be dropped before this returns.
        unsafe { c::wasm_runtime_terminate(self.0.as_ptr()) };
    }
}

fn dead(function: &'static str, callback: Option<CallbackKind>) -> Fault {
    Fault { function, callback, kind: FaultKind::Dead, backtrace: Vec::new() }
}
