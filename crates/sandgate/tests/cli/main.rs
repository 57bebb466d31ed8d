//! The program as a user meets it.

mod bad_config;
mod drain;
mod files;
mod gateway;
mod hello;
mod https;
mod limits;
mod module_cache;
mod redis;
mod reload;
mod services;
mod support;

/// What is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_sandgate");
