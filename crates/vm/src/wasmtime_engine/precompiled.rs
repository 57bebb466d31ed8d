//! Modules from the cache: the only place where machine code comes from outside the compiler.

use wasmtime::{Engine, Module, Result};

use super::WasmtimeEngine;
use crate::HostCalls;
use crate::module_cache::{Entry, Key, ModuleCache};

/// Takes the module from the cache, or compiles it and puts it there. What goes wrong with the cache costs time and nothing else.
pub(super) fn module<H: HostCalls>(engine: &Engine, cache: &ModuleCache, code: &[u8]) -> Result<Module> {
    let key = Key::new(WasmtimeEngine::<H>::NAME, &engine.precompile_compatibility_hash(), code);
    if let Some(module) = cache.find(&key, |entry| load(engine, &entry)) {
        return Ok(module);
    }
    let artifact = engine.precompile_module(code)?;
    // From the file, so that its pages are shared with the next process and cost no memory until they are used.
    if let Some(module) = cache.store(&key, &artifact).and_then(|entry| load(engine, &entry).ok()) {
        return Ok(module);
    }
    deserialize(engine, &artifact)
}

fn load(engine: &Engine, entry: &Entry) -> Result<Module> {
    let file = entry.file()?;
    #[expect(unsafe_code, reason = "mapping machine code is what the cache is for")]
    // SAFETY: The file holds what `Engine::precompile_module` made: an `Entry` is one whose digest has just been verified, on this very
    // descriptor, or that this process has written. Nobody but this user and root can write it, which was checked on this descriptor too,
    // and entries are never written again, only replaced by others and unlinked, which leaves the mapping as it is. That the artifact
    // is of this version of Wasmtime, with these settings, is in the key, and Wasmtime checks it again.
    let mapped = unsafe { Module::deserialize_open_file(engine, file) };
    // The file may lie where nothing may be run.
    mapped.or_else(|_| deserialize(engine, &entry.read()?))
}

fn deserialize(engine: &Engine, artifact: &[u8]) -> Result<Module> {
    #[expect(unsafe_code, reason = "running machine code is what the cache is for")]
    // SAFETY: `artifact` is what `Engine::precompile_module` made, now or, if it comes from an `Entry`, when that was written; see `load`.
    unsafe {
        Module::deserialize(engine, artifact)
    }
}
