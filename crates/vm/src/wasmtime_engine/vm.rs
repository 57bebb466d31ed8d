//! A running instance.

use std::sync::Arc;
use std::time::Duration;

use sandgate_abi::{Callback, CallbackKind, MAX_ARGUMENTS};
use wasmtime::{Error, Extern, Func, Instance, Result, Store, TypedFunc, Val};

use super::epoch::Ticking;
use super::fault;
use super::guest::Data;
use super::module::{Callables, CallbackExport};
use super::restore::{Beginning, Restorer};
use crate::cpu::CpuClock;
use crate::guest::{Phase, State, Stop};
use crate::image::{self, Contents, Number};
use crate::{Fault, FaultKind, HostCalls, Limits, LoadError, PluginVm};

pub(super) struct WasmtimeVm<H: HostCalls> {
    store: Store<Data<H>>,
    instance: Instance,
    /// What it began with, if it can be put back there.
    beginning: Option<Beginning>,
    /// Puts it back; made when that is first wanted.
    restorer: Option<Restorer>,
    module: Arc<Callables>,
    /// By the number of [`CallbackKind`]; found at the first call of each.
    callables: Vec<Option<Callable>>,
    callback_cpu: Duration,
    start_cpu: Duration,
    dead: bool,
    _ticking: Ticking,
}

/// A callback with its type: how many words it takes, and whether it returns one.
enum Callable {
    Void1(TypedFunc<u32, ()>),
    Void2(TypedFunc<(u32, u32), ()>),
    Void3(TypedFunc<(u32, u32, u32), ()>),
    Void5(TypedFunc<(u32, u32, u32, u32, u32), ()>),
    Word1(TypedFunc<u32, u32>),
    Word2(TypedFunc<(u32, u32), u32>),
    Word3(TypedFunc<(u32, u32, u32), u32>),
}

// === impl WasmtimeVm ===

impl<H: HostCalls> WasmtimeVm<H> {
    pub(super) fn new(
        store: Store<Data<H>>,
        (instance, beginning): (Instance, Option<Beginning>),
        module: Arc<Callables>,
        limits: &Limits,
        ticking: Ticking,
    ) -> Self {
        let callables = module.callbacks.iter().map(|_| None).collect();
        let Limits { callback_cpu, start_cpu, .. } = *limits;
        Self {
            store,
            instance,
            beginning,
            restorer: None,
            module,
            callables,
            callback_cpu,
            start_cpu,
            dead: false,
            _ticking: ticking,
        }
    }

    /// The function of a callback, if the module exports it.
    fn find(&mut self, index: usize) -> Result<Option<Callable>> {
        let Some(callback) = self.module.callbacks.get(index).and_then(Option::as_ref) else { return Ok(None) };
        let function = self.instance.get_module_export(&mut self.store, &callback.export);
        let function = function.and_then(wasmtime::Extern::into_func);
        function.map(|function| Callable::new(&self.store, callback, &function)).transpose()
    }

    fn call_export(&mut self, index: usize, arguments: [u32; MAX_ARGUMENTS]) -> Result<Option<u32>> {
        if let Some(Some(callable)) = self.callables.get(index) {
            return callable.call(&mut self.store, arguments).map(Some);
        }
        let Some(callable) = self.find(index)? else { return Ok(None) };
        let result = callable.call(&mut self.store, arguments)?;
        if let Some(slot) = self.callables.get_mut(index) {
            *slot = Some(callable);
        }
        Ok(Some(result))
    }

    /// Gives the next call its CPU time. No clock is read: see [`super::epoch`].
    fn begin(&mut self, cpu: Duration) {
        self.store.set_epoch_deadline(1);
        self.store.data_mut().cpu = CpuClock::new(cpu);
    }

    /// Tells the host of what the guest was refused meanwhile.
    fn tell_refusals(&mut self) {
        let data = self.store.data_mut();
        if let Some(what) = data.limiter.refused.take() {
            data.state.host.refused_to_grow(what);
        }
    }

    fn die(&mut self, function: &'static str, callback: Option<CallbackKind>, error: &Error) -> Fault {
        self.dead = true;
        let in_allocator = self.store.data().state.phase == Phase::Allocator;
        fault::fault(if in_allocator { self.module.allocator } else { function }, callback, error)
    }

    /// What the module exports for an image of this instance.
    fn contents(&mut self) -> Contents {
        let exports: Vec<_> =
            self.instance.exports(&mut self.store).map(|e| (e.name().to_owned(), e.into_extern())).collect();
        let mut contents = Contents::default();
        for (name, export) in exports.into_iter().filter(|(name, _)| name.starts_with(image::PREFIX)) {
            match export {
                Extern::Memory(memory) => {
                    contents.memories.insert(name, memory.data(&self.store).to_vec());
                }
                Extern::Global(global) => {
                    let value = match global.get(&mut self.store) {
                        Val::I32(value) => Number::I32(value),
                        Val::I64(value) => Number::I64(value),
                        Val::F32(bits) => Number::F32(bits),
                        Val::F64(bits) => Number::F64(bits),
                        Val::V128(value) => Number::V128(value.as_u128()),
                        _ => continue,
                    };
                    contents.globals.insert(name, value);
                }
                _ => {}
            }
        }
        contents
    }

    fn run_start_function(&mut self, name: &'static str, index: usize) -> Result<()> {
        let export = self.module.start.get(index).map(|(_, export)| export);
        let function = export
            .and_then(|export| self.instance.get_module_export(&mut self.store, export))
            .and_then(wasmtime::Extern::into_func)
            .ok_or_else(|| Error::msg(format!("export {name} has gone")))?;
        self.begin(self.start_cpu);
        match name {
            "main" => function.typed::<(u32, u32), u32>(&self.store)?.call(&mut self.store, (0, 0)).map(drop),
            "__main_void" => function.typed::<(), u32>(&self.store)?.call(&mut self.store, ()).map(drop),
            _ => function.typed::<(), ()>(&self.store)?.call(&mut self.store, ()),
        }
    }
}

impl<H: HostCalls> PluginVm<H> for WasmtimeVm<H> {
    fn start(&mut self) -> std::result::Result<(), Fault> {
        let module = Arc::clone(&self.module);
        self.store.data_mut().state.phase = Phase::Start;
        for (index, (name, _)) in module.start.iter().enumerate() {
            if self.dead {
                return Err(dead(name, None));
            }
            let result = self.run_start_function(name, index);
            self.tell_refusals();
            match result {
                Ok(()) => {}
                Err(error) if matches!(error.downcast_ref(), Some(Stop::Exit(0))) => break,
                Err(error) => return Err(self.die(name, None, &error)),
            }
        }
        self.store.data_mut().state.phase = Phase::Running;
        Ok(())
    }

    fn call(&mut self, callback: Callback) -> std::result::Result<Option<u32>, Fault> {
        let kind = callback.kind();
        if self.dead {
            return Err(dead(kind.export(), Some(kind)));
        }
        let starting = match callback {
            Callback::ContextCreate { parent, .. } => parent == 0,
            _ => matches!(kind, CallbackKind::VmStart | CallbackKind::Configure | CallbackKind::ValidateConfiguration),
        };
        self.begin(if starting { self.start_cpu } else { self.callback_cpu });
        // If the host panics within a hostcall, the instance stays dead.
        self.dead = true;
        let result = self.call_export(usize::from(kind as u8), callback.arguments());
        self.tell_refusals();
        let result = result.map_err(|error| self.die(kind.export(), Some(kind), &error))?;
        self.dead = false;
        Ok(result)
    }

    fn host(&self) -> &H {
        &self.store.data().state.host
    }

    fn memory_size(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    fn restore(&mut self) -> bool {
        if self.restorer.is_none()
            && let Some(beginning) = &self.beginning
        {
            self.restorer = beginning.restorer(&mut self.store, self.instance);
        }
        let restored = !self.dead && self.restorer.as_ref().is_some_and(|restorer| restorer.restore(&mut self.store));
        self.dead |= !restored;
        restored
    }

    fn assign(&mut self, host: H) {
        self.store.data_mut().state = State::new(host);
    }

    fn image(&mut self, code: &[u8]) -> std::result::Result<Vec<u8>, LoadError> {
        image::image(code, self.contents())
    }
}

fn dead(function: &'static str, callback: Option<CallbackKind>) -> Fault {
    Fault { function, callback, kind: FaultKind::Dead, backtrace: Vec::new() }
}

// === impl Callable ===

impl Callable {
    fn new<H: HostCalls>(store: &Store<Data<H>>, callback: &CallbackExport, function: &Func) -> Result<Self> {
        Ok(match (callback.params, callback.results) {
            (1, 0) => Self::Void1(function.typed(store)?),
            (2, 0) => Self::Void2(function.typed(store)?),
            (3, 0) => Self::Void3(function.typed(store)?),
            (5, 0) => Self::Void5(function.typed(store)?),
            (1, 1) => Self::Word1(function.typed(store)?),
            (2, 1) => Self::Word2(function.typed(store)?),
            (3, 1) => Self::Word3(function.typed(store)?),
            // The module's check allows no other.
            (params, results) => return Err(Error::msg(format!("callback of {params} words that returns {results}"))),
        })
    }

    /// Arguments beyond those that the export takes are dropped (the headers callbacks of ABI 0.1.0).
    #[inline]
    fn call<H: HostCalls>(&self, store: &mut Store<Data<H>>, [a, b, c, d, e]: [u32; MAX_ARGUMENTS]) -> Result<u32> {
        match self {
            Self::Void1(function) => function.call(store, a).map(|()| 0),
            Self::Void2(function) => function.call(store, (a, b)).map(|()| 0),
            Self::Void3(function) => function.call(store, (a, b, c)).map(|()| 0),
            Self::Void5(function) => function.call(store, (a, b, c, d, e)).map(|()| 0),
            Self::Word1(function) => function.call(store, a),
            Self::Word2(function) => function.call(store, (a, b)),
            Self::Word3(function) => function.call(store, (a, b, c)),
        }
    }
}
