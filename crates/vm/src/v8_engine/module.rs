//! A compiled module, and how instances are made of it.

use std::ptr::NonNull;
use std::sync::Arc;

use sandgate_abi::{AbiVersion, CallbackKind, CallbackSet, Capabilities};

use super::ffi::{self, Failure, ImportKind, Name};
use super::guest::V8Guest;
use super::isolate::Isolate;
use super::rewrite::{Imported, Rewritten, START_SECTION};
use super::vm::V8Vm;
use crate::check::Checked;
use crate::foreign_calls::{Functions, HostCall};
use crate::{HostCalls, Limits, LoadError, Module, PluginVm};

const PAGE: usize = 64 << 10;

/// A module compiled by V8.
pub(super) struct V8Module {
    pub(super) shared: Arc<Shared>,
    imports: Vec<Import>,
    shares_memory: bool,
    callbacks: CallbackSet,
    abi: AbiVersion,
}

/// What all instances of a module have in common.
pub(super) struct Shared {
    code: Compiled,
    /// What is looked up in each instance: callbacks by number, the allocator, the start functions, the start section.
    pub(super) exports: Vec<&'static str>,
    pub(super) start: Vec<&'static str>,
    pub(super) has_start_section: bool,
    /// What to add to an offset of a frame for that in the module as it was. Wraps.
    pub(super) shift: u32,
}

/// V8's code, which threads share.
struct Compiled(NonNull<ffi::Module>);

enum Import {
    Function { module: String, function: &'static HostCall, restricted: &'static HostCall },
    Object(Imported),
}

// SAFETY: V8's compiled modules may be used and dropped by any thread.
unsafe impl Send for Compiled {}
// SAFETY: the same; nothing changes them but V8 itself, which guards what it changes.
unsafe impl Sync for Compiled {}

// === impl V8Module ===

impl V8Module {
    pub(super) fn new<H: HostCalls>(code: &[u8], checked: &Checked<'_>) -> Result<Self, LoadError> {
        let rewritten = Rewritten::new(code)?;
        let code = Compiled::new(&rewritten.code)?;
        let mut exports: Vec<_> = CallbackKind::ALL.iter().map(|kind| kind.export()).collect();
        exports.push(checked.allocator);
        exports.extend(&checked.start);
        exports.push(START_SECTION);
        let imports: Option<_> = rewritten.imports.into_iter().map(Import::new::<H>).collect();
        let imports: Vec<_> = imports.ok_or_else(|| LoadError::Compile("an import has gone".to_owned()))?;
        let imports_memory = |import: &Import| matches!(import, Import::Object(object) if object.kind == ImportKind::Memory && object.was_import);
        Ok(Self {
            shares_memory: checked.memory.is_some() || imports.iter().any(imports_memory),
            imports,
            callbacks: checked.callbacks,
            abi: checked.abi,
            shared: Arc::new(Shared {
                code,
                exports,
                start: checked.start.clone(),
                has_start_section: rewritten.has_start_section,
                shift: rewritten.shift,
            }),
        })
    }

    /// What the imports of an instance are given.
    fn objects(&self, limits: &Limits, capabilities: &Capabilities) -> Result<Vec<ffi::Import<'_>>, LoadError> {
        let tables = self.imports.iter().filter_map(Import::table_elements);
        let (count, elements) = tables.fold((0, 0), |(count, sum), initial| (count + 1, initial.saturating_add(sum)));
        let most = limits.table_elements as u64;
        if elements > most {
            return Err(too_large("table", elements, "elements"));
        }
        // Several tables share what may be added.
        let room = (most - elements) / count.max(1);
        let pages = (limits.memory_bytes / PAGE) as u64;
        self.imports
            .iter()
            .map(|import| match import {
                Import::Function { module, function, restricted } => {
                    let allowed = capabilities.allows_import(module, function.name);
                    Ok(ffi::Import {
                        module: Name::new(module),
                        name: Name::new(function.name),
                        kind: ImportKind::Function,
                        initial: 0,
                        maximum: 0,
                        function: if allowed { function.raw() } else { restricted.raw() },
                    })
                }
                Import::Object(object) => {
                    let limit = if object.kind == ImportKind::Memory { pages } else { object.initial + room };
                    if object.initial > limit {
                        return Err(too_large("memory", object.initial, "pages"));
                    }
                    let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
                    Ok(ffi::Import {
                        module: Name::new(&object.module),
                        name: Name::new(&object.name),
                        kind: object.kind,
                        initial: word(object.initial),
                        maximum: word(object.maximum.map_or(limit, |maximum| maximum.min(limit))),
                        function: std::ptr::null(),
                    })
                }
            })
            .collect()
    }
}

impl<H: HostCalls> Module<H> for V8Module {
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
        let objects = self.objects(limits, capabilities)?;
        let words = |kind: CallbackKind| {
            kind.signature(self.abi)
                .filter(|_| self.callbacks.contains(kind))
                .map(|signature| signature.parameters.len())
        };
        let vm = V8Vm::new(host, &self.shared, &objects, self.shares_memory, limits, words)?;
        Ok(Box::new(vm))
    }
}

fn too_large(what: &str, initial: u64, unit: &str) -> LoadError {
    LoadError::Instantiate(format!("{what} minimum size of {initial} {unit} exceeds {what} limits"))
}

// === impl Shared ===

impl Shared {
    /// V8's module, for the functions of `ffi`.
    pub(super) fn raw(&self) -> *mut ffi::Module {
        self.code.0.as_ptr()
    }

    /// The bytes that V8 compiled.
    pub(super) fn code(&self) -> &[u8] {
        let mut length = 0;
        // SAFETY: the module lives, and its bytes with it.
        unsafe {
            let start = ffi::sandgate_v8_module_code(self.raw(), &raw mut length);
            if start.is_null() { &[] } else { std::slice::from_raw_parts(start, length) }
        }
    }
}

// === impl Compiled ===

impl Compiled {
    fn new(code: &[u8]) -> Result<Self, LoadError> {
        let isolate = Isolate::current()?;
        let mut failure = Failure::new();
        // SAFETY: the isolate is this thread's, and the bytes and the failure outlive the call.
        let raw = unsafe { ffi::sandgate_v8_compile(isolate.raw(), code.as_ptr(), code.len(), &raw mut failure) };
        NonNull::new(raw).map(Self).ok_or_else(|| LoadError::Compile(failure.message()))
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: made by `sandgate_v8_compile`, and nobody else's. Instances hold what they need.
        unsafe { ffi::sandgate_v8_module_delete(self.0.as_ptr()) };
    }
}

// === impl Import ===

impl Import {
    fn new<H: HostCalls>(import: Imported) -> Option<Self> {
        if import.kind != ImportKind::Function {
            return Some(Self::Object(import));
        }
        let (function, restricted) = Functions::<V8Guest<H>>::find(&import.module, &import.name)?;
        Some(Self::Function { module: import.module, function, restricted })
    }

    fn table_elements(&self) -> Option<u64> {
        match self {
            Self::Object(object) if object.kind != ImportKind::Memory => Some(object.initial),
            _ => None,
        }
    }
}
