//! The sandgate command with the native twins of guests.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: sandgate::MiMalloc = sandgate::MiMalloc;

fn main() -> ExitCode {
    sandgate::main_with(sandgate_native_guests::engine())
}
