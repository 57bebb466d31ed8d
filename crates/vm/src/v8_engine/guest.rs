//! A guest as a hostcall from V8 sees it.

use std::any::Any;
use std::ffi::c_void;
use std::ptr::NonNull;

use super::ffi;
use crate::HostCalls;
use crate::foreign_calls::{ForeignGuest, Stopped};
use crate::guest::{Guest, State, Stop};

/// The host's side of an instance. C++ holds its address.
pub(super) struct Context<H> {
    pub(super) state: State<H>,
    /// Null until the instance is there.
    pub(super) vm: *mut ffi::Vm,
    /// The export that is the allocator.
    pub(super) allocator: usize,
    /// Whether hostcalls may see the memory: it is imported or exported.
    pub(super) shares_memory: bool,
    /// Why the host ends the call that is running.
    pub(super) stop: Option<Stop>,
    /// What the host panicked with in a hostcall.
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

/// The guest that made the hostcall.
///
/// A pointer, not a reference: while the allocator runs, hostcalls of its own use the same context.
pub(super) struct V8Guest<H> {
    context: NonNull<Context<H>>,
}

// === impl V8Guest ===

impl<H: HostCalls> V8Guest<H> {
    #[inline]
    fn context(&mut self) -> &mut Context<H> {
        // SAFETY: as promised to `new`. The borrow is that of `self`, so it ends before the guest runs on.
        unsafe { self.context.as_mut() }
    }
}

impl<H: HostCalls> ForeignGuest for V8Guest<H> {
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

impl<H: HostCalls> Guest for V8Guest<H> {
    type Host = H;
    type Error = Stopped;

    #[inline]
    fn split(&mut self) -> (&mut [u8], &mut State<H>) {
        let context = self.context();
        let memory = if context.shares_memory { memory(context.vm) } else { &mut [] };
        (memory, &mut context.state)
    }

    #[inline]
    fn state(&mut self) -> &mut State<H> {
        &mut self.context().state
    }

    fn call_allocator(&mut self, size: u32) -> Result<u32, Stopped> {
        let (vm, allocator) = (self.context().vm, self.context().allocator);
        let mut pointer = 0;
        // SAFETY: the instance lives and is running on this thread, the allocator is one of its exports, and no reference
        // to the context is held.
        let returned = unsafe { ffi::sandgate_v8_vm_call_within(vm, allocator, size, &raw mut pointer) };
        if returned { Ok(pointer) } else { Err(Stopped(None)) }
    }
}

/// The linear memory as it is now. To be used before guest code runs again.
fn memory<'a>(vm: *mut ffi::Vm) -> &'a mut [u8] {
    let mut base = std::ptr::null_mut();
    // SAFETY: the instance lives, on this thread.
    let length = unsafe { ffi::sandgate_v8_vm_memory(vm, &raw mut base) };
    if base.is_null() || length == 0 {
        return &mut [];
    }
    // SAFETY: V8 says that the memory of this instance is there and so long; it stays so until guest code runs, and
    // `split` gives it out for less. Nothing else refers to it: guests share no memory.
    unsafe { std::slice::from_raw_parts_mut(base, length) }
}
