//! The sandgate command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: sandgate::MiMalloc = sandgate::MiMalloc;

fn main() -> ExitCode {
    sandgate::main()
}
