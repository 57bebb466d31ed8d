//! The program as a user meets it.

mod bad_config;
mod drain;
mod gateway;
mod hello;
mod https;
mod limits;
mod redis;
mod reload;
mod services;
mod support;
