//! A running instance.

use std::ffi::c_void;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sandgate_abi::{Callback, CallbackKind};

use super::ffi::{self, Failure, Name};
use super::guest::Context;
use super::isolate::Isolate;
use super::module::Shared;
use super::names::functions_at;
use crate::guest::{Phase, State, Stop};
use crate::{Fault, FaultKind, Frame, HostCalls, Limits, LoadError, PluginVm};

pub(super) struct V8Vm<H: HostCalls> {
    raw: NonNull<ffi::Vm>,
    /// Owned. C++ holds it too, and hostcalls use it while a guest call runs; in between it is ours.
    context: NonNull<Context<H>>,
    isolate: Rc<Isolate>,
    module: Arc<Shared>,
    /// By the number of [`CallbackKind`]: how many words each takes, if the module exports it.
    callbacks: Vec<Option<usize>>,
    callback_cpu: Duration,
    start_cpu: Duration,
    dead: bool,
}

/// Why a call did not return, and where the guest was.
struct Failed {
    kind: FaultKind,
    backtrace: Vec<Frame>,
}

// === impl V8Vm ===

impl<H: HostCalls> V8Vm<H> {
    pub(super) fn new(
        host: H,
        module: &Arc<Shared>,
        imports: &[ffi::Import<'_>],
        shares_memory: bool,
        limits: &Limits,
        words: impl Fn(CallbackKind) -> Option<usize>,
    ) -> Result<Self, LoadError> {
        let isolate = Isolate::current()?;
        let names: Vec<_> = module.exports.iter().map(|name| Name::new(name)).collect();
        let context = Box::new(Context {
            state: State::new(host),
            vm: std::ptr::null_mut(),
            allocator: CallbackKind::ALL.len(),
            shares_memory,
            stop: None,
            panic: None,
        });
        let context = NonNull::from(Box::leak(context));
        let mut failure = Failure::new();
        // SAFETY: isolate and module live, the isolate is this thread's, imports, names and failure outlive the call, and
        // the host functions among the imports are for this `H`. No guest code runs.
        let raw = unsafe {
            ffi::sandgate_v8_vm_new(
                isolate.raw(),
                module.raw(),
                imports.as_ptr(),
                imports.len(),
                names.as_ptr(),
                names.len(),
                context.as_ptr().cast::<c_void>(),
                &raw mut failure,
            )
        };
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: made above, and there is no instance that could use it.
            drop(unsafe { Box::from_raw(context.as_ptr()) });
            return Err(LoadError::Instantiate(failure.message()));
        };
        let mut vm = Self {
            raw,
            context,
            isolate,
            module: Arc::clone(module),
            callbacks: CallbackKind::ALL.iter().map(|kind| words(*kind)).collect(),
            callback_cpu: limits.callback_cpu,
            start_cpu: limits.start_cpu,
            dead: false,
        };
        vm.context_mut().vm = raw.as_ptr();
        if module.has_start_section {
            let section = module.exports.len() - 1;
            vm.call_export(section, &[], limits.start_cpu)
                .map_err(|failed| LoadError::Instantiate(failed.kind.to_string()))?;
        }
        Ok(vm)
    }

    fn context(&self) -> &Context<H> {
        // SAFETY: it lives as long as `self`, and no guest call runs: that would have borrowed `self` mutably.
        unsafe { self.context.as_ref() }
    }

    fn context_mut(&mut self) -> &mut Context<H> {
        // SAFETY: the same.
        unsafe { self.context.as_mut() }
    }

    /// Calls an export that the instance has, with as many words as it takes.
    fn call_export(&mut self, index: usize, words: &[u32], cpu: Duration) -> Result<u32, Failed> {
        let mut result = 0;
        let mut failure = Failure::new();
        let (returned, exceeded) = self.isolate.timed(cpu, || {
            // SAFETY: the instance lives, on this thread, words, result and failure outlive the call, and no reference to
            // the context is held, so that hostcalls may use it.
            unsafe {
                let (result, failure) = (&raw mut result, &raw mut failure);
                ffi::sandgate_v8_vm_call(self.raw.as_ptr(), index, words.as_ptr(), words.len(), result, failure)
            }
        });
        if returned { Ok(result) } else { Err(self.failed(&failure, exceeded)) }
    }

    #[cold]
    fn failed(&mut self, failure: &Failure, exceeded: Option<Duration>) -> Failed {
        let context = self.context_mut();
        if let Some(panic) = context.panic.take() {
            self.dead = true;
            resume_unwind(panic);
        }
        let kind = match (context.stop.take(), exceeded) {
            (Some(stop), _) => stop.into(),
            (None, Some(limit)) => Stop::CpuLimit(limit).into(),
            (None, None) => FaultKind::Trap(failure.message()),
        };
        Failed { kind, backtrace: functions_at(self.module.code(), failure.offsets(), self.module.shift) }
    }

    fn die(&mut self, function: &'static str, callback: Option<CallbackKind>, failed: Failed) -> Fault {
        self.dead = true;
        let context = self.context();
        let in_allocator = context.state.phase == Phase::Allocator;
        let allocator = self.module.exports.get(context.allocator).copied().unwrap_or(function);
        let function = if in_allocator { allocator } else { function };
        Fault { function, callback, kind: failed.kind, backtrace: failed.backtrace }
    }
}

impl<H: HostCalls> PluginVm<H> for V8Vm<H> {
    fn start(&mut self) -> Result<(), Fault> {
        let module = Arc::clone(&self.module);
        self.context_mut().state.phase = Phase::Start;
        for (index, name) in module.start.iter().enumerate() {
            if self.dead {
                return Err(dead(name, None));
            }
            let words: &[u32] = if *name == "main" { &[0, 0] } else { &[] };
            let export = self.context().allocator + 1 + index;
            match self.call_export(export, words, self.start_cpu) {
                Ok(_) => {}
                Err(Failed { kind: FaultKind::Exit(0), .. }) => break,
                Err(failed) => return Err(self.die(name, None, failed)),
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
        let index = usize::from(kind as u8);
        let Some(count) = self.callbacks.get(index).copied().flatten() else { return Ok(None) };
        let starting = match callback {
            Callback::ContextCreate { parent, .. } => parent == 0,
            _ => matches!(kind, CallbackKind::VmStart | CallbackKind::Configure | CallbackKind::ValidateConfiguration),
        };
        let cpu = if starting { self.start_cpu } else { self.callback_cpu };
        // Arguments beyond those that the export takes are dropped (the headers callbacks of ABI 0.1.0).
        let arguments = callback.arguments();
        let words = arguments.get(..count).unwrap_or(&arguments);
        self.call_export(index, words, cpu).map(Some).map_err(|failed| self.die(kind.export(), Some(kind), failed))
    }

    fn host(&self) -> &H {
        &self.context().state.host
    }

    fn memory_size(&self) -> usize {
        if !self.context().shares_memory {
            return 0;
        }
        let mut base = std::ptr::null_mut();
        // SAFETY: the instance lives, on this thread.
        unsafe { ffi::sandgate_v8_vm_memory(self.raw.as_ptr(), &raw mut base) }
    }
}

impl<H: HostCalls> Drop for V8Vm<H> {
    fn drop(&mut self) {
        let memory = self.memory_size();
        // SAFETY: both were made by `new` and are nobody else's; no call runs, and none will.
        unsafe {
            ffi::sandgate_v8_vm_delete(self.raw.as_ptr());
            drop(Box::from_raw(self.context.as_ptr()));
        }
        self.isolate.dropped(memory);
    }
}

fn dead(function: &'static str, callback: Option<CallbackKind>) -> Fault {
    Fault { function, callback, kind: FaultKind::Dead, backtrace: Vec::new() }
}
