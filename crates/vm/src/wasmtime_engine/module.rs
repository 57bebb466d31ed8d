//! A compiled module, and how instances are made of it.

use std::sync::Arc;

use sandgate_abi::{AbiVersion, CallbackKind, CallbackSet, Capabilities};
use wasmtime::{
    Error, ExternType, Instance, InstancePre, Linker, Memory, ModuleExport, Ref, Result, Store, Table, UpdateDeadline,
};

use super::epoch::{Ticker, at_deadline};
use super::fault;
use super::guest::{Data, GuestExports};
use super::limits::Limiter;
use super::restore::Beginning;
use super::restriction;
use super::vm::WasmtimeVm;
use crate::check::Checked;
use crate::cpu::CpuClock;
use crate::guest::State;
use crate::{HostCalls, Limits, LoadError, Module, PluginVm};

/// A module compiled by Wasmtime.
pub(super) struct WasmtimeModule<H: HostCalls> {
    module: wasmtime::Module,
    link: Link<H>,
    linker: Arc<Linker<Data<H>>>,
    /// Memory and allocator, for hostcalls.
    exports: Arc<GuestExports>,
    shared: Arc<Callables>,
    callbacks: CallbackSet,
    abi: AbiVersion,
    ticker: Arc<Ticker>,
    /// Of modules whose instances can be put back to where they began.
    beginning: Option<Beginning>,
}

/// What all instances of a module can call.
pub(super) struct Callables {
    pub(super) start: Vec<(&'static str, ModuleExport)>,
    pub(super) allocator: &'static str,
    /// By the number of [`CallbackKind`].
    pub(super) callbacks: Vec<Option<CallbackExport>>,
}

/// Where a callback is, and how many words it takes and returns: to ask an instance for its type is slow.
pub(super) struct CallbackExport {
    pub(super) export: ModuleExport,
    pub(super) params: usize,
    pub(super) results: usize,
}

enum Link<H: HostCalls> {
    /// The module imports functions only: all is resolved once.
    Ready(InstancePre<Data<H>>),
    /// The module imports a memory or table, which every instance needs for itself.
    PerInstance { objects: Vec<(String, String)> },
}

// === impl WasmtimeModule ===

impl<H: HostCalls> WasmtimeModule<H> {
    pub(super) fn new(
        module: wasmtime::Module,
        checked: &Checked<'_>,
        linker: &Arc<Linker<Data<H>>>,
        ticker: &Arc<Ticker>,
    ) -> Result<Self> {
        let export =
            |name: &str| module.get_export_index(name).ok_or_else(|| Error::msg(format!("export {name} has gone")));
        let callback = |name: &str| {
            let ty = module.get_export(name).and_then(|ty| ty.func().cloned());
            let ty = ty.ok_or_else(|| Error::msg(format!("export {name} is no function")))?;
            Ok(CallbackExport { export: export(name)?, params: ty.params().len(), results: ty.results().len() })
        };
        let exports =
            GuestExports { memory: checked.memory.map(export).transpose()?, allocator: export(checked.allocator)? };
        let callables = Callables {
            start: checked.start.iter().map(|name| Ok((*name, export(name)?))).collect::<Result<_>>()?,
            allocator: checked.allocator,
            callbacks: CallbackKind::ALL
                .iter()
                .map(|kind| checked.callbacks.contains(*kind).then(|| callback(kind.export())).transpose())
                .collect::<Result<_>>()?,
        };
        let link = if checked.imported_objects.is_empty() {
            Link::Ready(linker.instantiate_pre(&module)?)
        } else {
            let names = |import: &sandgate_abi::Import<'_>| (import.module.to_owned(), import.name.to_owned());
            let objects = checked.imported_objects.iter().map(names).collect();
            Link::PerInstance { objects }
        };
        Ok(Self {
            module,
            link,
            linker: Arc::clone(linker),
            exports: Arc::new(exports),
            shared: Arc::new(callables),
            callbacks: checked.callbacks,
            abi: checked.abi,
            ticker: Arc::clone(ticker),
            beginning: None,
        })
    }

    /// The same, of code that exports its state: its instances can be put back.
    pub(super) fn restorable(self) -> Self {
        Self { beginning: Some(Beginning::default()), ..self }
    }

    fn link(&self, store: &mut Store<Data<H>>, capabilities: &Capabilities) -> Result<Instance> {
        let objects = match &self.link {
            Link::Ready(pre) if capabilities.is_unrestricted() => return pre.instantiate(store),
            Link::Ready(_) => &[][..],
            Link::PerInstance { objects } => objects,
        };
        let mut linker = Linker::clone(&self.linker);
        for (module, name) in objects {
            self.define(&mut linker, store, module, name)?;
        }
        restriction::restrict(&mut linker, &self.module, capabilities)?;
        linker.instantiate(store, &self.module)
    }

    /// Makes what a module imports under a name. The first memory is the one for hostcalls, unless one is exported.
    fn define(&self, linker: &mut Linker<Data<H>>, store: &mut Store<Data<H>>, module: &str, name: &str) -> Result<()> {
        let import = self.module.imports().find(|import| import.module() == module && import.name() == name);
        match import.map(|import| import.ty()) {
            Some(ExternType::Memory(ty)) => {
                let memory = Memory::new(&mut *store, ty)?;
                if self.exports.memory.is_none() {
                    store.data_mut().memory.get_or_insert(memory);
                }
                linker.define(store, module, name, memory)?;
            }
            Some(ExternType::Table(ty)) => {
                let null = Ref::null(ty.element().heap_type());
                let table = Table::new(&mut *store, ty, null)?;
                linker.define(store, module, name, table)?;
            }
            _ => return Err(Error::msg(format!("import {module}.{name} is neither memory nor table"))),
        }
        Ok(())
    }
}

impl<H: HostCalls> Module<H> for WasmtimeModule<H> {
    fn exports(&self) -> CallbackSet {
        self.callbacks
    }

    fn is_abi_0_1_0(&self) -> bool {
        self.abi == AbiVersion::V0_1_0
    }

    fn instantiate(
        &self,
        host: H,
        limits: &Limits,
        capabilities: &Capabilities,
    ) -> std::result::Result<Box<dyn PluginVm<H>>, LoadError> {
        let ticking = self.ticker.start().map_err(|error| LoadError::Instantiate(error.to_string()))?;
        let data = Data {
            state: State::new(host),
            memory: None,
            allocator: None,
            exports: Arc::clone(&self.exports),
            limiter: Limiter::new(limits),
            cpu: CpuClock::new(limits.start_cpu),
        };
        let mut store = Store::new(self.module.engine(), data);
        store.limiter(|data| &mut data.limiter);
        store.epoch_deadline_callback(|mut store| -> Result<UpdateDeadline> { at_deadline(&mut store.data_mut().cpu) });
        store.set_epoch_deadline(1);
        let instance = self
            .link(&mut store, capabilities)
            .map_err(|error| LoadError::Instantiate(fault::kind(&error).to_string()))?;
        if let Some(memory) = &self.exports.memory {
            let memory = instance.get_module_export(&mut store, memory).and_then(wasmtime::Extern::into_memory);
            store.data_mut().memory = memory;
        }
        if let Some(beginning) = &self.beginning {
            beginning.note(&mut store, instance);
        }
        let beginning = self.beginning.clone();
        Ok(Box::new(WasmtimeVm::new(store, (instance, beginning), Arc::clone(&self.shared), limits, ticking)))
    }
}
