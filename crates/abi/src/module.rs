//! What a Wasm module says about itself: ABI version, imports, exports. Reads only; validates no code.

use std::borrow::Cow;
use std::sync::Arc;

use wasmparser::{CompositeInnerType, Encoding, ExternalKind, FuncType, Parser, Payload, TypeRef};

use crate::{AbiVersion, Signature, ValType};

/// A module's outside, borrowed from its bytes.
///
/// Its size is bounded by that of the module; names are not copied.
#[derive(Clone, Debug, Default)]
pub struct ModuleInfo<'a> {
    /// By the first function export that is a marker, in the order of the export section, as in Envoy.
    pub abi: Option<AbiVersion>,
    /// In the module's order; the same import may appear twice (Go).
    pub imports: Vec<Import<'a>>,
    /// In the module's order.
    pub exports: Vec<Export<'a>>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import<'a> {
    /// The name of the module imported from, such as `env`.
    pub module: &'a str,
    /// The name within it.
    pub name: &'a str,
    /// What it is.
    pub kind: ItemKind,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub kind: ItemKind,
}

/// What is imported or exported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the Wasm specification")]
pub enum ItemKind {
    /// With its type, which functions of one type share.
    Function(Arc<Signature>),
    Memory,
    Table,
    Global,
    Tag,
}

/// Why the bytes are not a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The sections cannot be read.
    #[error("{0}")]
    Corrupted(String),
    /// The sections can be read, but name functions or types that are not there.
    #[error("{0}")]
    Invalid(String),
    /// The header is that of Wasm, but of another version, or of a component.
    #[error("not a Wasm module of version 1")]
    Version,
}

const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const MAGIC_LEN: usize = 4;

// === impl ModuleInfo ===

impl<'a> ModuleInfo<'a> {
    /// Reads the sections of a module. Safe on any bytes; takes time and memory linear in their length.
    ///
    /// # Errors
    /// If any section is malformed or cut short. Function bodies are skipped.
    pub fn parse(code: &'a [u8]) -> Result<Self, InspectError> {
        let (magic, version) = HEADER.split_at(MAGIC_LEN);
        if !code.starts_with(magic) {
            return Err(InspectError::Corrupted("no Wasm header".to_owned()));
        }
        if code.get(MAGIC_LEN..HEADER.len()).is_some_and(|found| found != version) {
            return Err(InspectError::Version);
        }
        let mut sections = Sections::default();
        for payload in Parser::new(0).parse_all(code) {
            sections.read(payload?)?;
        }
        Ok(sections.info)
    }

    /// The type of a function export.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<&Signature> {
        self.exports.iter().filter(|export| export.name == name).find_map(|export| match &export.kind {
            ItemKind::Function(signature) => Some(signature.as_ref()),
            _ => None,
        })
    }

    /// The name of the first exported memory.
    #[must_use]
    pub fn memory(&self) -> Option<&'a str> {
        self.exports.iter().find(|export| export.kind == ItemKind::Memory).map(|export| export.name)
    }
}

impl From<wasmparser::BinaryReaderError> for InspectError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Corrupted(error.to_string())
    }
}

/// What has been read so far.
#[derive(Default)]
struct Sections<'a> {
    /// `None` for types that are not functions.
    types: Vec<Option<Arc<Signature>>>,
    /// Type index of every function: the imported ones, then the module's own.
    functions: Vec<u32>,
    info: ModuleInfo<'a>,
}

// === impl Sections ===

impl<'a> Sections<'a> {
    fn read(&mut self, payload: Payload<'a>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => return Err(InspectError::Version),
            Payload::TypeSection(reader) => {
                for group in reader {
                    let types = group?.into_types().map(|ty| match ty.composite_type.inner {
                        CompositeInnerType::Func(function) => Some(Arc::new(signature(&function))),
                        _ => None,
                    });
                    self.types.extend(types);
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import?;
                    let kind = self.import_kind(import.ty)?;
                    self.info.imports.push(Import { module: import.module, name: import.name, kind });
                }
            }
            Payload::FunctionSection(reader) => {
                for index in reader {
                    self.functions.push(index?);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    let kind = self.export_kind(export.kind, export.index)?;
                    if let (ItemKind::Function(_), None) = (&kind, self.info.abi) {
                        self.info.abi = AbiVersion::from_marker(export.name);
                    }
                    self.info.exports.push(Export { name: export.name, kind });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import_kind(&mut self, ty: TypeRef) -> Result<ItemKind, InspectError> {
        Ok(match ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.functions.push(index);
                ItemKind::Function(self.function_type(index)?)
            }
            TypeRef::Table(_) => ItemKind::Table,
            TypeRef::Memory(_) => ItemKind::Memory,
            TypeRef::Global(_) => ItemKind::Global,
            TypeRef::Tag(_) => ItemKind::Tag,
        })
    }

    fn export_kind(&self, kind: ExternalKind, index: u32) -> Result<ItemKind, InspectError> {
        Ok(match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let function = usize::try_from(index).ok().and_then(|index| self.functions.get(index));
                let function = function.ok_or_else(|| invalid(format!("export of unknown function {index}")))?;
                ItemKind::Function(self.function_type(*function)?)
            }
            ExternalKind::Table => ItemKind::Table,
            ExternalKind::Memory => ItemKind::Memory,
            ExternalKind::Global => ItemKind::Global,
            ExternalKind::Tag => ItemKind::Tag,
        })
    }

    fn function_type(&self, index: u32) -> Result<Arc<Signature>, InspectError> {
        let ty = usize::try_from(index).ok().and_then(|index| self.types.get(index));
        ty.cloned().flatten().ok_or_else(|| invalid(format!("type {index} is not a function's")))
    }
}

fn invalid(message: String) -> InspectError {
    InspectError::Invalid(message)
}

fn signature(function: &FuncType) -> Signature {
    let types = |types: &[wasmparser::ValType]| Cow::Owned(types.iter().copied().map(val_type).collect());
    Signature { parameters: types(function.params()), results: types(function.results()) }
}

fn val_type(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) if ty.is_func_ref() => ValType::FuncRef,
        wasmparser::ValType::Ref(ty) if ty.is_extern_ref() => ValType::ExternRef,
        wasmparser::ValType::Ref(_) => ValType::Reference,
    }
}

#[cfg(test)]
#[path = "module/tests.rs"]
mod tests;
