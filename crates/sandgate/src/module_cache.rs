//! Where compiled modules are kept, and `sandgate compile`, which puts them there ahead of time.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use sandgate_host::{Engine, LoadError, ModuleCache, ModuleCacheError, VmHost, WasmtimeEngine, default_cache_path};

use crate::cli::{CacheArgs, CompileArgs};

/// Keeps nothing.
const OFF: &str = "off";

/// Why a module is not in the cache.
#[derive(Debug, thiserror::Error)]
enum CompileError {
    #[error("{0}")]
    Read(#[from] std::io::Error),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("compiled, but it could not be written")]
    NotKept,
}

/// The cache that the command line asks for, or else the user's, if that can be used.
///
/// # Errors
/// One that was asked for cannot be used.
pub(crate) fn open(args: &CacheArgs) -> Result<Option<Arc<ModuleCache>>, ModuleCacheError> {
    let max_bytes = args.wasm_cache_max_mib.saturating_mul(1 << 20);
    match &args.wasm_cache {
        Some(path) if path.as_os_str() == OFF => Ok(None),
        Some(path) => ModuleCache::open(path, max_bytes).map(|cache| Some(Arc::new(cache))),
        None => Ok(default_cache_path(|name| std::env::var_os(name)).and_then(|path| {
            let cache = ModuleCache::open(&path, max_bytes);
            cache.inspect_err(|error| log::debug!(target: "wasm", "{error}")).ok().map(Arc::new)
        })),
    }
}

/// Compiles modules into the cache. The exit code is 1 if any of them is not there afterwards.
pub(crate) fn compile(args: &CompileArgs) -> ExitCode {
    let prepared = open(&args.cache).map_err(|error| error.to_string()).and_then(|cache| {
        let cache = cache.ok_or("there is no directory to keep compiled modules in: name one by --wasm-cache")?;
        let engine = WasmtimeEngine::<VmHost>::new().map_err(|error| error.to_string())?;
        Ok((engine.with_cache(Arc::clone(&cache)), cache))
    });
    let (engine, cache) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    engine.begin_batch();
    for file in &args.files {
        match compile_one(&engine, &cache, file) {
            Ok(told) => println!("{}: {told}", file.display()),
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                code = ExitCode::FAILURE;
            }
        }
    }
    engine.end_batch();
    code
}

fn compile_one(engine: &WasmtimeEngine<VmHost>, cache: &ModuleCache, file: &Path) -> Result<String, CompileError> {
    let before = cache.counts();
    let start = Instant::now();
    engine.compile(&std::fs::read(file)?)?;
    let after = cache.counts();
    if after.hits > before.hits {
        Ok("already there".to_owned())
    } else if after.stored > before.stored {
        Ok(format!("compiled in {} ms", start.elapsed().as_millis()))
    } else {
        Err(CompileError::NotKept)
    }
}
