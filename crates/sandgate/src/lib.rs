//! The sandgate command, for programs that are it with native plugins of their own.
//!
//! Such a program's `main` is `sandgate::main_with(proxy_wasm::plugins![mine])`; `examples/native-plugin` is one.
#![forbid(unsafe_code)]

mod check;
mod cli;
mod configuration;
mod logger;
mod module_cache;
mod options;
mod run;
mod version;

use std::process::ExitCode;

pub use mimalloc::MiMalloc;
pub use sandgate_host::NativeEngine;

use cli::Command;

/// The command as it is: what it prints, and the exit code.
#[must_use]
pub fn main() -> ExitCode {
    main_with(NativeEngine::new())
}

/// The same with plugins that `runtime: envoy.wasm.runtime.null` selects by their names. Reads the process's arguments.
///
/// A program should make [`MiMalloc`] its allocator, as the command does.
#[must_use]
pub fn main_with(native: NativeEngine) -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Command::Run(args)) => run::run(&args, &native),
        Ok(Command::Check(args)) => check::check(&args, &native),
        Ok(Command::Compile(args)) => module_cache::compile(&args),
        Err(error) => {
            let _ = error.print();
            ExitCode::from(u8::from(error.use_stderr()))
        }
    }
}
