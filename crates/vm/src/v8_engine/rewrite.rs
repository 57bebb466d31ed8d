//! What is changed in a module before V8 sees it.
//!
//! Memories and tables that the module defines become imports: the host makes them for every instance, and so decides
//! how far they may grow. V8 itself has one limit for the whole process. The start section becomes an export, so that
//! the host has seen the instance when it runs. Indices of functions, memories and tables stay what they are.

use wasmparser::{BinaryReaderError, Parser, Payload, RefType, TableInit, TypeRef};

use super::ffi::ImportKind;
use crate::LoadError;
use crate::encode::{appended, leb, named, section};

/// The export that was the start section.
pub(super) const START_SECTION: &str = "sandgate:start";
/// The module that defined objects are imported from.
const OBJECTS: &str = "sandgate:object";

const IMPORT: u8 = 2;
const TABLE: u8 = 4;
const MEMORY: u8 = 5;
const EXPORT: u8 = 7;
const START: u8 = 8;
const CODE: u8 = 10;

/// A module for V8.
pub(super) struct Rewritten {
    pub(super) code: Vec<u8>,
    /// All its imports, in order.
    pub(super) imports: Vec<Imported>,
    pub(super) has_start_section: bool,
    /// How far the bytes of functions have moved: what to add to an offset in `code` for that in the module as it was. Wraps.
    pub(super) shift: u32,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Imported {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) kind: ImportKind,
    /// Of memories in pages, of tables in elements.
    pub(super) initial: u64,
    pub(super) maximum: Option<u64>,
    /// Whether the module had it as an import.
    pub(super) was_import: bool,
}

/// What is known of a module when all its sections have been seen.
#[derive(Default)]
struct Sections {
    /// Number and contents; custom sections are 0.
    sections: Vec<(u8, std::ops::Range<usize>)>,
    imports: Vec<Imported>,
    start: Option<u32>,
}

// === impl Rewritten ===

impl Rewritten {
    /// Rewrites a module whose sections have been read before.
    ///
    /// # Errors
    /// If it has a kind of memory or table that V8 is not given.
    pub(super) fn new(code: &[u8]) -> Result<Self, LoadError> {
        let mut found = Sections::default();
        for payload in Parser::new(0).parse_all(code) {
            found.read(&payload.map_err(invalid)?)?;
        }
        let (code, shift) = found.write(code).map_err(invalid)?;
        Ok(Self { code, has_start_section: found.start.is_some(), imports: found.imports, shift })
    }
}

// === impl Sections ===

impl Sections {
    fn read(&mut self, payload: &Payload<'_>) -> Result<(), LoadError> {
        if let Some(section) = payload.as_section() {
            self.sections.push(section);
        }
        match payload {
            Payload::ImportSection(reader) => {
                for import in reader.clone().into_imports() {
                    let import = import.map_err(invalid)?;
                    self.add(Some((import.module, import.name)), import.ty)?;
                }
            }
            Payload::TableSection(reader) => {
                for table in reader.clone() {
                    let table = table.map_err(invalid)?;
                    if !matches!(table.init, TableInit::RefNull) {
                        return Err(unsupported("a table with an initial value"));
                    }
                    self.add(None, TypeRef::Table(table.ty))?;
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader.clone() {
                    self.add(None, TypeRef::Memory(memory.map_err(invalid)?))?;
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(*func),
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, import: Option<(&str, &str)>, ty: TypeRef) -> Result<(), LoadError> {
        let (kind, initial, maximum) = match ty {
            TypeRef::Memory(ty) if ty.memory64 || ty.shared || ty.page_size_log2.is_some() => {
                return Err(unsupported("a memory that is shared, of 64 bits, or of another page size"));
            }
            TypeRef::Memory(_) if self.imports.iter().any(|import| import.kind == ImportKind::Memory) => {
                return Err(unsupported("more than one memory"));
            }
            TypeRef::Memory(ty) => (ImportKind::Memory, ty.initial, ty.maximum),
            TypeRef::Table(ty) if ty.table64 || ty.shared => {
                return Err(unsupported("a table that is shared or of 64 bits"));
            }
            TypeRef::Table(ty) if ty.element_type == RefType::FUNCREF => {
                (ImportKind::FunctionTable, ty.initial, ty.maximum)
            }
            TypeRef::Table(ty) if ty.element_type == RefType::EXTERNREF => {
                (ImportKind::ExternTable, ty.initial, ty.maximum)
            }
            TypeRef::Table(_) => return Err(unsupported("a table of typed references")),
            // What is not a function has been refused before.
            _ => (ImportKind::Function, 0, None),
        };
        let (module, name) = match import {
            Some((module, name)) => (module.to_owned(), name.to_owned()),
            None => (OBJECTS.to_owned(), self.imports.len().to_string()),
        };
        self.imports.push(Imported { module, name, kind, initial, maximum, was_import: import.is_some() });
        Ok(())
    }

    /// The module with other sections, and how far its functions have moved.
    fn write(&self, code: &[u8]) -> Result<(Vec<u8>, u32), BinaryReaderError> {
        let mut shift = 0;
        let header = code.get(..8).unwrap_or_default();
        let mut out = Vec::with_capacity(code.len() + 64);
        out.extend_from_slice(header);
        let added: Vec<_> = self.imports.iter().filter(|import| !import.was_import).map(Imported::encode).collect();
        let mut imported = added.is_empty();
        for (id, range) in &self.sections {
            let contents = code.get(range.clone()).unwrap_or_default();
            if !imported && *id > IMPORT {
                section(&mut out, IMPORT, &appended(&[0], &added)?);
                imported = true;
            }
            match *id {
                IMPORT => {
                    section(&mut out, IMPORT, &appended(contents, &added)?);
                    imported = true;
                }
                TABLE | MEMORY | START => {}
                EXPORT => {
                    let start = self.start.map(|function| {
                        let mut entry = named(START_SECTION);
                        entry.push(0);
                        leb(&mut entry, function);
                        entry
                    });
                    section(&mut out, EXPORT, &appended(contents, start.as_slice())?);
                }
                id => {
                    section(&mut out, id, contents);
                    if id == CODE {
                        // A module is shorter than 4 GiB, so that what is cut off does not matter.
                        shift = (range.end as u32).wrapping_sub(out.len() as u32);
                    }
                }
            }
        }
        Ok((out, shift))
    }
}

// === impl Imported ===

impl Imported {
    fn encode(&self) -> Vec<u8> {
        let mut entry = named(&self.module);
        entry.extend(named(&self.name));
        match self.kind {
            ImportKind::Function => {}
            ImportKind::Memory => entry.push(2),
            ImportKind::FunctionTable => entry.extend([1, 0x70]),
            ImportKind::ExternTable => entry.extend([1, 0x6f]),
        }
        // Limits of 32 bits: V8 refuses others before they come here.
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        entry.push(u8::from(self.maximum.is_some()));
        leb(&mut entry, word(self.initial));
        if let Some(maximum) = self.maximum {
            leb(&mut entry, word(maximum));
        }
        entry
    }
}

fn invalid(error: BinaryReaderError) -> LoadError {
    LoadError::Compile(error.to_string())
}

fn unsupported(what: &str) -> LoadError {
    LoadError::Compile(format!("{what} is not supported on V8"))
}
