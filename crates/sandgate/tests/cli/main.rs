//! The program as a user meets it.

mod bad_config;
mod hello;
mod support;
