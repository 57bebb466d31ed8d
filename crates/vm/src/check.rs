//! What a module must be before an engine sees it. Reads the module's own sections, so that every engine
//! refuses the same modules in the same words.

use sandgate_abi::{
    AbiVersion, CallbackKind, CallbackSet, Import, InspectError, ItemKind, ModuleInfo, Signature, host_function,
};

use crate::LoadError;

/// A module that may be linked.
#[derive(Clone, Debug)]
pub(crate) struct Checked<'a> {
    pub(crate) abi: AbiVersion,
    /// The callbacks it exports, with the types of its ABI version.
    pub(crate) callbacks: CallbackSet,
    pub(crate) allocator: &'static str,
    /// The start functions to call, in order.
    pub(crate) start: Vec<&'static str>,
    /// The name of its first exported memory.
    pub(crate) memory: Option<&'a str>,
    /// Imports that the host makes anew for every instance.
    pub(crate) imported_objects: Vec<Import<'a>>,
}

/// In order of preference: the spec's, then the older one, which Envoy asks for first. TinyGo exports both
/// and never frees what its `malloc` gave out.
const ALLOCATORS: [&str; 2] = ["proxy_on_memory_allocate", "malloc"];

/// Checks in Envoy's order: readable, ABI version, imports there, imports of the right type, exports of the
/// right type, allocator.
pub(crate) fn check(code: &[u8]) -> Result<Checked<'_>, LoadError> {
    let info = ModuleInfo::parse(code).map_err(|error| match error {
        InspectError::Corrupted(reason) => LoadError::Corrupted(reason),
        InspectError::Invalid(reason) => LoadError::Compile(reason),
        InspectError::Version => LoadError::UnknownAbi,
    })?;
    let abi = info.abi.ok_or(LoadError::UnknownAbi)?;
    check_imports(&info.imports)?;
    let start = start_functions(&info)?;
    let callbacks = callbacks(&info, abi)?;
    let allocator = allocator(&info)?;
    let is_object = |import: &Import<'_>| matches!(import.kind, ItemKind::Memory | ItemKind::Table);
    Ok(Checked {
        abi,
        callbacks,
        allocator,
        start,
        memory: info.memory(),
        imported_objects: info.imports.into_iter().filter(is_object).collect(),
    })
}

fn check_imports(imports: &[Import<'_>]) -> Result<(), LoadError> {
    let mut missing = Vec::new();
    let mut mismatch = None;
    for import in imports {
        let full_name = || format!("{}.{}", import.module, import.name);
        match (&import.kind, host_function(import.module, import.name)) {
            (ItemKind::Memory | ItemKind::Table, _) => {}
            (ItemKind::Function(want), Some(have)) => {
                if **want != have.signature && mismatch.is_none() {
                    mismatch = Some(LoadError::ImportType {
                        import: full_name(),
                        want: want.to_string(),
                        have: have.signature.to_string(),
                    });
                }
            }
            _ => missing.push(full_name()),
        }
    }
    if missing.is_empty() { mismatch.map_or(Ok(()), Err) } else { Err(LoadError::MissingImports(missing)) }
}

/// `_initialize`, then `main` or `__main_void`; a module without `_initialize` has `_start` or nothing.
fn start_functions(info: &ModuleInfo<'_>) -> Result<Vec<&'static str>, LoadError> {
    let mut start = Vec::new();
    if exports(info, "_initialize", &Signature::words(0, false))? {
        start.push("_initialize");
        if exports(info, "main", &Signature::words(2, true))? {
            start.push("main");
        } else if exports(info, "__main_void", &Signature::words(0, true))? {
            start.push("__main_void");
        }
    } else if exports(info, "_start", &Signature::words(0, false))? {
        start.push("_start");
    }
    Ok(start)
}

fn callbacks(info: &ModuleInfo<'_>, abi: AbiVersion) -> Result<CallbackSet, LoadError> {
    let mut callbacks = CallbackSet::default();
    for kind in CallbackKind::ALL {
        let Some(signature) = kind.signature(abi) else { continue };
        if exports(info, kind.export(), &signature)? {
            callbacks.insert(*kind);
        }
    }
    Ok(callbacks)
}

fn allocator(info: &ModuleInfo<'_>) -> Result<&'static str, LoadError> {
    for name in ALLOCATORS {
        if exports(info, name, &Signature::words(1, true))? {
            return Ok(name);
        }
    }
    Err(LoadError::MissingAllocator)
}

/// Whether the module exports a function of this name, which then must have this type.
fn exports(info: &ModuleInfo<'_>, name: &str, want: &Signature) -> Result<bool, LoadError> {
    match info.function(name) {
        None => Ok(false),
        Some(have) if have == want => Ok(true),
        Some(have) => {
            Err(LoadError::ExportType { export: name.to_owned(), want: want.to_string(), have: have.to_string() })
        }
    }
}
