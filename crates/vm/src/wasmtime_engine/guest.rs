//! A guest as a Wasmtime hostcall sees it.

use std::rc::Rc;
use std::sync::Arc;

use wasmtime::{Caller, Memory, ModuleExport, TypedFunc};

use super::limits::Limiter;
use crate::HostCalls;
use crate::cpu::CpuClock;
use crate::guest::{Guest, State};

/// What a store holds. Memory and allocator are looked up once, because a lookup costs more than a hostcall.
pub(super) struct Data<H> {
    pub(super) state: State<H>,
    pub(super) memory: Option<Memory>,
    /// Shared, so that a call can borrow it beside the store; cloning the function itself is slow.
    pub(super) allocator: Option<Rc<TypedFunc<u32, u32>>>,
    pub(super) exports: Arc<GuestExports>,
    pub(super) limiter: Limiter,
    pub(super) cpu: CpuClock,
}

/// Where a module's memory and allocator are.
pub(super) struct GuestExports {
    pub(super) memory: Option<ModuleExport>,
    pub(super) allocator: ModuleExport,
}

/// The guest that made the hostcall.
pub(super) struct CallerGuest<'a, H: 'static> {
    caller: Caller<'a, Data<H>>,
}

// === impl CallerGuest ===

impl<'a, H: HostCalls> CallerGuest<'a, H> {
    #[inline]
    pub(super) fn new(caller: Caller<'a, Data<H>>) -> Self {
        Self { caller }
    }

    #[inline]
    fn memory(&mut self) -> Option<Memory> {
        match self.caller.data().memory {
            Some(memory) => Some(memory),
            None => self.find_memory(),
        }
    }

    /// A start section calls before the host has seen the instance.
    #[cold]
    fn find_memory(&mut self) -> Option<Memory> {
        let exports = Arc::clone(&self.caller.data().exports);
        let memory = self.caller.get_module_export(exports.memory.as_ref()?)?.into_memory()?;
        self.caller.data_mut().memory = Some(memory);
        Some(memory)
    }

    #[cold]
    fn find_allocator(&mut self) -> Option<Rc<TypedFunc<u32, u32>>> {
        let exports = Arc::clone(&self.caller.data().exports);
        let allocator = self.caller.get_module_export(&exports.allocator)?.into_func()?;
        let allocator = Rc::new(allocator.typed(&self.caller).ok()?);
        self.caller.data_mut().allocator = Some(Rc::clone(&allocator));
        Some(allocator)
    }
}

impl<H: HostCalls> Guest for CallerGuest<'_, H> {
    type Host = H;
    type Error = wasmtime::Error;

    #[inline]
    fn split(&mut self) -> (&mut [u8], &mut State<H>) {
        match self.memory() {
            Some(memory) => {
                let (bytes, data) = memory.data_and_store_mut(&mut self.caller);
                (bytes, &mut data.state)
            }
            None => (&mut [], &mut self.caller.data_mut().state),
        }
    }

    #[inline]
    fn state(&mut self) -> &mut State<H> {
        &mut self.caller.data_mut().state
    }

    fn call_allocator(&mut self, size: u32) -> Result<u32, wasmtime::Error> {
        let known = self.caller.data().allocator.as_ref().map(Rc::clone);
        match known.or_else(|| self.find_allocator()) {
            Some(allocator) => allocator.call(&mut self.caller, size),
            None => Ok(0),
        }
    }
}
