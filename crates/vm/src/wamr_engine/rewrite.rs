//! What is changed in a module before WAMR sees it.
//!
//! Memories and tables that the module imports become its own, which keep their places: imports come first among them.
//! The start section becomes an export, so that the host has seen the instance when it runs. And WAMR does not find the
//! exports to which it would give a meaning of its own: it would call constructors that a start function calls, too, cut
//! a memory short at `__heap_base`, and trap a guest that switches stacks.

use wasmparser::{
    BinaryReaderError, ExternalKind, Parser, Payload, RefType, TableType, TypeRef, Validator, WasmFeatures,
};

use crate::LoadError;
use crate::encode::{leb, named, prepended, section};

/// The export that was the start section.
pub(super) const START_SECTION: &str = "sandgate:start";
/// Before the names of exports that WAMR would call.
const HIDDEN: &str = "sandgate:hidden:";
const CALLED: [&str; 2] = ["__wasm_call_ctors", "__post_instantiate"];
const MEASURED: [&str; 2] = ["__heap_base", "__data_end"];

const IMPORT: u8 = 2;
const TABLE: u8 = 4;
const MEMORY: u8 = 5;
const EXPORT: u8 = 7;
const START: u8 = 8;
/// The order of sections in a module.
const ORDER: [u8; 12] = [1, IMPORT, 3, TABLE, MEMORY, 13, 6, EXPORT, 9, 12, 10, 11];

/// A module for WAMR.
pub(super) struct Rewritten {
    pub(super) code: Vec<u8>,
    pub(super) has_start_section: bool,
    pub(super) imports_memory: bool,
    /// Pages that its memory has at first, if it has one.
    pub(super) memory: Option<u64>,
    /// Elements that its tables have at first.
    pub(super) table_elements: u64,
}

/// What is known of a module when all its sections have been seen.
#[derive(Default)]
struct Sections {
    /// Number and contents, without custom sections.
    sections: Vec<(u8, Vec<u8>)>,
    tables: Vec<Vec<u8>>,
    memories: Vec<Vec<u8>>,
    exports: Vec<Vec<u8>>,
    start: Option<u32>,
    memory: Option<u64>,
    table_elements: u64,
}

/// What WAMR is built with.
fn features() -> WasmFeatures {
    (WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::EXTENDED_CONST).difference(WasmFeatures::SIMD)
}

// === impl Rewritten ===

impl Rewritten {
    /// Validates and rewrites a module whose sections have been read before.
    ///
    /// # Errors
    /// If it is not valid, or needs what WAMR has not.
    pub(super) fn new(code: &[u8]) -> Result<Self, LoadError> {
        if let Err(error) = Validator::new_with_features(features()).validate_all(code) {
            let valid = Validator::new_with_features(WasmFeatures::all()).validate_all(code).is_ok();
            return Err(if valid {
                LoadError::Compile(format!("not supported on WAMR: {error}"))
            } else {
                invalid(error)
            });
        }
        let mut found = Sections::default();
        for payload in Parser::new(0).parse_all(code) {
            found.read(&payload.map_err(invalid)?, code).map_err(invalid)?;
        }
        Ok(Self {
            has_start_section: found.start.is_some(),
            imports_memory: !found.memories.is_empty(),
            memory: found.memory,
            table_elements: found.table_elements,
            code: found.write().map_err(invalid)?,
        })
    }
}

// === impl Sections ===

impl Sections {
    fn read(&mut self, payload: &Payload<'_>, code: &[u8]) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::CustomSection(_) => return Ok(()),
            Payload::ImportSection(reader) => {
                let mut functions = Vec::new();
                for import in reader.clone().into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(ty) => {
                            let mut entry = named(import.module);
                            entry.extend(named(import.name));
                            entry.push(0);
                            leb(&mut entry, ty);
                            functions.push(entry);
                        }
                        TypeRef::Table(ty) => {
                            self.count_table(&ty);
                            let mut entry = vec![if ty.element_type == RefType::FUNCREF { 0x70 } else { 0x6f }];
                            limits(&mut entry, ty.initial, ty.maximum);
                            self.tables.push(entry);
                        }
                        TypeRef::Memory(ty) => {
                            self.memory = Some(ty.initial);
                            let mut entry = Vec::new();
                            limits(&mut entry, ty.initial, ty.maximum);
                            self.memories.push(entry);
                        }
                        // Refused before.
                        TypeRef::Global(_) | TypeRef::Tag(_) | TypeRef::FuncExact(_) => {}
                    }
                }
                self.sections.push((IMPORT, prepended(&functions, &[0])?));
                return Ok(());
            }
            Payload::TableSection(reader) => {
                for table in reader.clone() {
                    self.count_table(&table?.ty);
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader.clone() {
                    self.memory = Some(memory?.initial);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader.clone() {
                    let export = export?;
                    if export.kind == ExternalKind::Global && MEASURED.contains(&export.name) {
                        continue;
                    }
                    let hidden = CALLED.contains(&export.name).then(|| format!("{HIDDEN}{}", export.name));
                    let mut entry = named(hidden.as_deref().unwrap_or(export.name));
                    entry.push(kind(export.kind));
                    leb(&mut entry, export.index);
                    self.exports.push(entry);
                }
                return Ok(());
            }
            Payload::StartSection { func, .. } => {
                self.start = Some(*func);
                return Ok(());
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            self.sections.push((id, code.get(range).unwrap_or_default().to_vec()));
        }
        Ok(())
    }

    fn count_table(&mut self, ty: &TableType) {
        self.table_elements = self.table_elements.saturating_add(ty.initial);
    }

    fn write(mut self) -> Result<Vec<u8>, BinaryReaderError> {
        if let Some(function) = self.start {
            let mut entry = named(START_SECTION);
            entry.push(kind(ExternalKind::Func));
            leb(&mut entry, function);
            self.exports.push(entry);
        }
        self.sections.push((EXPORT, prepended(&self.exports, &[0])?));
        for (id, objects) in [(TABLE, &self.tables), (MEMORY, &self.memories)] {
            if objects.is_empty() {
                continue;
            }
            match self.sections.iter_mut().find(|(other, _)| *other == id) {
                Some((_, contents)) => *contents = prepended(objects, contents)?,
                None => self.sections.push((id, prepended(objects, &[0])?)),
            }
        }
        self.sections.sort_by_key(|(id, _)| ORDER.iter().position(|other| other == id));
        let mut out = b"\0asm\x01\0\0\0".to_vec();
        for (id, contents) in &self.sections {
            if *id != START {
                section(&mut out, *id, contents);
            }
        }
        Ok(out)
    }
}

/// Limits of 32 bits: others are refused before.
fn limits(entry: &mut Vec<u8>, initial: u64, maximum: Option<u64>) {
    let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    entry.push(u8::from(maximum.is_some()));
    leb(entry, word(initial));
    if let Some(maximum) = maximum {
        leb(entry, word(maximum));
    }
}

const fn kind(kind: ExternalKind) -> u8 {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => 0,
        ExternalKind::Table => 1,
        ExternalKind::Memory => 2,
        ExternalKind::Global => 3,
        ExternalKind::Tag => 4,
    }
}

fn invalid(error: BinaryReaderError) -> LoadError {
    LoadError::Compile(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use sandgate_abi::ModuleInfo;

    fn rewritten(text: &str) -> Rewritten {
        let rewritten = Rewritten::new(&wat::parse_str(text).unwrap()).unwrap();
        Validator::new_with_features(features()).validate_all(&rewritten.code).unwrap();
        rewritten
    }

    fn exports(rewritten: &Rewritten) -> Vec<&str> {
        ModuleInfo::parse(&rewritten.code).unwrap().exports.iter().map(|export| export.name).collect()
    }

    #[test]
    fn imported_objects_become_the_modules_own_in_their_places() {
        let module = rewritten(
            r#"(module
                (import "env" "f" (func (param i32)))
                (import "env" "t" (table 2 4 funcref))
                (import "env" "m" (memory 3))
                (table 5 externref)
                (elem (table 0) (i32.const 1) func 0)
                (data (i32.const 0) "x")
                (export "own" (table 1)) (export "memory" (memory 0)))"#,
        );
        assert!(module.imports_memory && !module.has_start_section);
        assert_eq!((module.memory, module.table_elements), (Some(3), 7));
        assert_eq!(ModuleInfo::parse(&module.code).unwrap().imports.len(), 1);
        assert_eq!(exports(&module), ["own", "memory"]);
    }

    #[test]
    fn the_start_section_becomes_an_export() {
        let module = rewritten(r#"(module (func $f) (start $f) (memory 1))"#);
        assert!(module.has_start_section && !module.imports_memory);
        assert_eq!(exports(&module), [START_SECTION]);
    }

    #[test]
    fn exports_with_a_meaning_are_hidden() {
        let module = rewritten(
            r#"(module
                (global (export "__heap_base") i32 (i32.const 9)) (global (export "__data_end") i32 (i32.const 9))
                (func (export "__wasm_call_ctors")) (func (export "malloc") (param i32) (result i32) (i32.const 0)))"#,
        );
        assert_eq!(exports(&module), ["sandgate:hidden:__wasm_call_ctors", "malloc"]);
    }

    #[test]
    fn what_wamr_lacks_is_told_from_what_is_wrong() {
        let error = |text: &str| match Rewritten::new(&wat::parse_str(text).unwrap()) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
        for text in [
            "(module (memory 1) (memory 1))",
            "(module (memory i64 1))",
            "(module (memory 1 1 shared))",
            "(module (tag))",
            "(module (func (drop (v128.const i32x4 0 0 0 0))))",
            "(module (type (struct)))",
        ] {
            let error = error(text);
            assert!(error.starts_with("Failed to load Wasm bytecode: not supported on WAMR: "), "{text}: {error}");
        }
        assert!(error("(module (func (result i32)))").starts_with("Failed to load Wasm bytecode: type mismatch"));
    }
}
