//! A loaded module, and how instances are made of it.

use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;

use sandgate_abi::{AbiVersion, CallbackKind, CallbackSet, Capabilities};
use wamrx_sys as c;

use super::guest::WamrGuest;
use super::rewrite::{Rewritten, START_SECTION};
use super::vm::WamrVm;
use crate::check::Checked;
use crate::foreign_calls::{self, Functions, HostCall};
use crate::{HostCalls, Limits, LoadError, Module, PluginVm};

const PAGE: usize = 64 << 10;

/// A module loaded by WAMR.
pub(super) struct WamrModule {
    shared: Arc<Shared>,
    /// What its instances call if nothing is restricted.
    functions: Arc<[&'static HostCall]>,
    callbacks: CallbackSet,
    abi: AbiVersion,
    memory: Option<u64>,
    table_elements: u64,
}

/// What all instances of a module have in common.
pub(super) struct Shared {
    code: Loaded,
    pub(super) allocator: &'static str,
    pub(super) start: Vec<&'static str>,
    pub(super) has_start_section: bool,
    /// Whether hostcalls may see the memory: it is imported or exported.
    pub(super) shares_memory: bool,
    /// By the number of [`CallbackKind`]: name and form of those that the module exports.
    pub(super) callbacks: Vec<Option<Export>>,
}

/// A function that the host calls.
pub(super) struct Export {
    pub(super) name: CString,
    /// How many words it takes.
    pub(super) words: usize,
    pub(super) returns: bool,
}

/// WAMR's module, which refers to bytes of its own.
struct Loaded {
    raw: NonNull<c::WASMModuleCommon>,
    _code: Box<[u8]>,
}

/// Room for what WAMR says when it cannot do something.
pub(super) struct Message([c_char; 256]);

// SAFETY: WAMR's modules may be instantiated and dropped by any thread.
unsafe impl Send for Loaded {}
// SAFETY: the same; instances do not change them.
unsafe impl Sync for Loaded {}

// === impl WamrModule ===

impl WamrModule {
    pub(super) fn new(
        code: &[u8],
        checked: &Checked<'_>,
        functions: &Arc<[&'static HostCall]>,
    ) -> Result<Self, LoadError> {
        let rewritten = Rewritten::new(code)?;
        let export = |kind: &CallbackKind| {
            let signature = kind.signature(checked.abi).filter(|_| checked.callbacks.contains(*kind))?;
            Some(Export {
                name: CString::new(kind.export()).ok()?,
                words: signature.parameters.len(),
                returns: !signature.results.is_empty(),
            })
        };
        Ok(Self {
            functions: Arc::clone(functions),
            callbacks: checked.callbacks,
            abi: checked.abi,
            memory: rewritten.memory,
            table_elements: rewritten.table_elements,
            shared: Arc::new(Shared {
                allocator: checked.allocator,
                start: checked.start.clone(),
                has_start_section: rewritten.has_start_section,
                shares_memory: checked.memory.is_some() || rewritten.imports_memory,
                callbacks: CallbackKind::ALL.iter().map(export).collect(),
                code: Loaded::new(rewritten.code)?,
            }),
        })
    }

    /// The functions of a plugin that may not call all of them.
    fn restricted<H: HostCalls>(capabilities: &Capabilities) -> Arc<[&'static HostCall]> {
        let all = Functions::<WamrGuest<H>>::all().zip(foreign_calls::names());
        let chosen = all.map(
            |((function, stand_in), (module, name))| {
                if capabilities.allows_import(module, name) { function } else { stand_in }
            },
        );
        chosen.collect()
    }
}

impl<H: HostCalls> Module<H> for WamrModule {
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
    ) -> Result<Box<dyn PluginVm<H>>, LoadError> {
        // What tables may grow to is WAMR's: twice of this, or 1,024.
        if self.table_elements > limits.table_elements as u64 {
            return Err(too_large("table", self.table_elements, "elements"));
        }
        let pages = limits.memory_bytes / PAGE;
        match self.memory {
            Some(initial) if initial > pages as u64 => return Err(too_large("memory", initial, "pages")),
            // For WAMR no pages would be no limit.
            Some(_) if pages == 0 => return Err(too_large("memory", 1, "page")),
            _ => {}
        }
        let functions = if capabilities.is_unrestricted() {
            Arc::clone(&self.functions)
        } else {
            Self::restricted::<H>(capabilities)
        };
        Ok(Box::new(WamrVm::new(host, &self.shared, functions, limits)?))
    }
}

fn too_large(what: &str, initial: u64, unit: &str) -> LoadError {
    LoadError::Instantiate(format!("{what} minimum size of {initial} {unit} exceeds {what} limits"))
}

// === impl Shared ===

impl Shared {
    /// Makes an instance, of which no code runs yet. It must be gone before this is.
    pub(super) fn instantiate(
        &self,
        stack: u32,
        limits: &Limits,
    ) -> Result<NonNull<c::WASMModuleInstanceCommon>, LoadError> {
        let pages = u32::try_from(limits.memory_bytes / PAGE).unwrap_or(u32::MAX);
        let mut message = Message::new();
        let mut arguments = std::ptr::null_mut();
        // SAFETY: the module lives, arguments and message outlive the calls, and the arguments are given back.
        let raw = unsafe {
            if !c::wasm_runtime_instantiation_args_create(&raw mut arguments) {
                return Err(LoadError::Instantiate("out of memory".to_owned()));
            }
            c::wasm_runtime_instantiation_args_set_default_stack_size(arguments, stack);
            c::wasm_runtime_instantiation_args_set_host_managed_heap_size(arguments, 0);
            c::wasm_runtime_instantiation_args_set_max_memory_pages(arguments, pages);
            let (text, room) = message.room();
            let raw = c::wasm_runtime_instantiate_ex2(self.code.raw.as_ptr(), arguments, text, room);
            c::wasm_runtime_instantiation_args_destroy(arguments);
            raw
        };
        NonNull::new(raw).ok_or_else(|| LoadError::Instantiate(message.text()))
    }

    /// The name of the start section.
    pub(super) fn start_section() -> Option<CString> {
        CString::new(START_SECTION).ok()
    }
}

// === impl Loaded ===

impl Loaded {
    fn new(code: Vec<u8>) -> Result<Self, LoadError> {
        let mut code = code.into_boxed_slice();
        let size = u32::try_from(code.len()).map_err(|_| LoadError::Compile("too large".to_owned()))?;
        let mut message = Message::new();
        let (text, room) = message.room();
        // SAFETY: the bytes live as long as the module, which may change them; the message outlives the call.
        let raw = unsafe { c::wasm_runtime_load(code.as_mut_ptr(), size, text, room) };
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { raw, _code: code }),
            None => Err(LoadError::Compile(message.text())),
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and nobody else's; instances hold on to it as long as they live.
        unsafe { c::wasm_runtime_unload(self.raw.as_ptr()) };
    }
}

// === impl Message ===

impl Message {
    pub(super) const fn new() -> Self {
        Self([0; 256])
    }

    fn room(&mut self) -> (*mut c_char, u32) {
        (self.0.as_mut_ptr(), self.0.len() as u32)
    }

    fn text(&self) -> String {
        // SAFETY: there is a zero at the end, if nowhere else: WAMR writes at most what it was given room for.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }.to_string_lossy().into_owned()
    }
}
