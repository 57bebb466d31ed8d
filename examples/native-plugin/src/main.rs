//! Sandgate with two plugins compiled in: one from a crate of its own, one from a module of this program.
#![forbid(unsafe_code)]

mod fuse;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: sandgate::MiMalloc = sandgate::MiMalloc;

fn main() -> ExitCode {
    sandgate::main_with(proxy_wasm::plugins![greeter, fuse])
}
