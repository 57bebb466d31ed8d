//! The functions and types of `shim.cc`, which says what they do.

use std::ffi::{c_char, c_void};
use std::marker::{PhantomData, PhantomPinned};

use crate::foreign_calls::HostFunction;

/// How many frames of a guest's stack a failure has, as in Envoy.
pub(super) const MAX_FRAMES: usize = 20;
const MAX_MESSAGE: usize = 512;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub(super) struct $name {
            _nothing: [u8; 0],
            _foreign: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )+};
}

opaque! {
    /// V8's heap of one thread.
    Isolate;
    /// Compiled code.
    Module;
    /// An instance.
    Vm;
}

/// A name, borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    bytes: *const c_char,
    length: usize,
    _borrowed: PhantomData<&'a str>,
}

/// What an import is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImportKind {
    Function,
    Memory,
    FunctionTable,
    ExternTable,
}

/// What an import gets.
#[repr(C)]
pub(super) struct Import<'a> {
    pub(super) module: Name<'a>,
    pub(super) name: Name<'a>,
    pub(super) kind: ImportKind,
    pub(super) initial: u32,
    pub(super) maximum: u32,
    pub(super) function: *const HostFunction,
}

/// Why a call failed.
#[repr(C)]
pub(super) struct Failure {
    message_length: usize,
    frames: usize,
    offsets: [u32; MAX_FRAMES],
    message: [u8; MAX_MESSAGE],
}

unsafe extern "C" {
    pub(super) fn sandgate_v8_version(major: *mut u32, minor: *mut u32) -> *const c_char;
    pub(super) fn sandgate_v8_start();
    pub(super) fn sandgate_v8_isolate_new(
        on_interrupt: unsafe extern "C" fn(*mut c_void) -> bool,
        owner: *mut c_void,
    ) -> *mut Isolate;
    pub(super) fn sandgate_v8_isolate_delete(isolate: *mut Isolate);
    pub(super) fn sandgate_v8_isolate_interrupt(isolate: *mut Isolate);
    pub(super) fn sandgate_v8_isolate_collect(isolate: *mut Isolate);
    pub(super) fn sandgate_v8_compile(
        isolate: *mut Isolate,
        code: *const u8,
        length: usize,
        failure: *mut Failure,
    ) -> *mut Module;
    pub(super) fn sandgate_v8_module_delete(module: *mut Module);
    pub(super) fn sandgate_v8_module_code(module: *mut Module, length: *mut usize) -> *const u8;
    pub(super) fn sandgate_v8_vm_new(
        isolate: *mut Isolate,
        module: *mut Module,
        imports: *const Import<'_>,
        import_count: usize,
        exports: *const Name<'_>,
        export_count: usize,
        host: *mut c_void,
        failure: *mut Failure,
    ) -> *mut Vm;
    pub(super) fn sandgate_v8_vm_delete(vm: *mut Vm);
    pub(super) fn sandgate_v8_vm_memory(vm: *mut Vm, base: *mut *mut u8) -> usize;
    pub(super) fn sandgate_v8_vm_call(
        vm: *mut Vm,
        index: usize,
        words: *const u32,
        count: usize,
        result: *mut u32,
        failure: *mut Failure,
    ) -> bool;
    pub(super) fn sandgate_v8_vm_call_within(vm: *mut Vm, index: usize, word: u32, result: *mut u32) -> bool;
}

// === impl Name ===

impl<'a> Name<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { bytes: text.as_ptr().cast(), length: text.len(), _borrowed: PhantomData }
    }
}

// === impl Failure ===

impl Failure {
    pub(super) const fn new() -> Self {
        Self { message_length: 0, frames: 0, offsets: [0; MAX_FRAMES], message: [0; MAX_MESSAGE] }
    }

    /// V8's words, such as `Uncaught RuntimeError: unreachable`, in one line.
    pub(super) fn message(&self) -> String {
        let text = String::from_utf8_lossy(self.message.get(..self.message_length).unwrap_or_default());
        text.replace(char::is_control, " ")
    }

    /// Where the guest's frames are in the module's bytes, innermost first.
    pub(super) fn offsets(&self) -> &[u32] {
        self.offsets.get(..self.frames).unwrap_or_default()
    }
}
