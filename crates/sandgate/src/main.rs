//! The sandgate command.
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

use cli::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Command::Run(args)) => run::run(&args),
        Ok(Command::Check(args)) => check::check(&args),
        Ok(Command::Compile(args)) => module_cache::compile(&args),
        Err(error) => {
            let _ = error.print();
            ExitCode::from(u8::from(error.use_stderr()))
        }
    }
}
