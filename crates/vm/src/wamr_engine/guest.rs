//! A guest as a hostcall from WAMR sees it.

use std::any::Any;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use wamrx_sys as c;

use crate::HostCalls;
use crate::foreign_calls::{ForeignGuest, HostCall, Stopped};
use crate::guest::{Guest, State, Stop};

/// The host's side of an instance. C holds its address, and finds the entry there.
#[repr(C)]
pub(super) struct Context<H> {
    pub(super) entry: Entry,
    pub(super) state: State<H>,
    pub(super) environment: c::wasm_exec_env_t,
    /// Null if hostcalls may see none: it is neither exported nor imported.
    pub(super) memory: c::wasm_memory_inst_t,
    pub(super) allocator: c::wasm_function_inst_t,
    /// Why the host ends the call that is running.
    pub(super) stop: Option<Stop>,
    /// What the host panicked with in a hostcall.
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

/// The part of a context that does not depend on the host.
#[repr(C)]
pub(super) struct Entry {
    /// In the order of [`crate::foreign_calls::names`].
    pub(super) functions: Arc<[&'static HostCall]>,
}

/// The guest that made the hostcall.
///
/// A pointer, not a reference: while the allocator runs, hostcalls of its own use the same context.
pub(super) struct WamrGuest<H> {
    context: NonNull<Context<H>>,
}

// === impl WamrGuest ===

impl<H: HostCalls> WamrGuest<H> {
    #[inline]
    fn context(&mut self) -> &mut Context<H> {
        // SAFETY: as promised to `new`. The borrow is that of `self`, so it ends before the guest runs on.
        unsafe { self.context.as_mut() }
    }
}

impl<H: HostCalls> ForeignGuest for WamrGuest<H> {
    #[inline]
    unsafe fn new(context: NonNull<c_void>) -> Self {
        Self { context: context.cast() }
    }

    fn stop(&mut self, stop: Stop) {
        self.context().stop = Some(stop);
    }

    fn panicked(&mut self, panic: Box<dyn Any + Send>) {
        self.context().panic = Some(panic);
    }
}

impl<H: HostCalls> Guest for WamrGuest<H> {
    type Host = H;
    type Error = Stopped;

    #[inline]
    fn split(&mut self) -> (&mut [u8], &mut State<H>) {
        let context = self.context();
        // SAFETY: the instance lives, and runs on this thread; no guest code runs until the borrow has ended.
        let memory = unsafe { memory(context.memory) };
        (memory, &mut context.state)
    }

    #[inline]
    fn state(&mut self) -> &mut State<H> {
        &mut self.context().state
    }

    fn call_allocator(&mut self, size: u32) -> Result<u32, Stopped> {
        let (environment, allocator) = (self.context().environment, self.context().allocator);
        let mut words = [size];
        // SAFETY: the instance lives and is running on this thread, the allocator is one of its functions, takes a word
        // and returns one, and no reference to the context is held.
        let returned = unsafe { c::wasm_runtime_call_wasm(environment, allocator, 1, words.as_mut_ptr()) };
        if returned { Ok(words[0]) } else { Err(Stopped(None)) }
    }
}

/// How many bytes a memory has now; a null one has none.
///
/// # Safety
/// The memory's instance lives, and only this thread runs it.
#[inline]
pub(super) unsafe fn memory_size(memory: c::wasm_memory_inst_t) -> usize {
    if memory.is_null() {
        return 0;
    }
    // SAFETY: as promised.
    let (pages, page) =
        unsafe { (c::wasm_memory_get_cur_page_count(memory), c::wasm_memory_get_bytes_per_page(memory)) };
    usize::try_from(pages * page).unwrap_or(0)
}

/// A memory as it is now.
///
/// # Safety
/// The memory's instance lives, only this thread runs it, and no guest code runs while the slice is used.
#[inline]
unsafe fn memory<'a>(memory: c::wasm_memory_inst_t) -> &'a mut [u8] {
    // SAFETY: as promised.
    let length = unsafe { memory_size(memory) };
    if length == 0 {
        return &mut [];
    }
    // SAFETY: WAMR says that the memory of this instance is there and so long. Nothing else refers to it: guests share no
    // memory.
    unsafe { std::slice::from_raw_parts_mut(c::wasm_memory_get_base_address(memory).cast(), length) }
}
