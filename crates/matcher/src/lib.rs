//! Envoy's matchers, made from their configuration and run without allocating where that can be.
//!
//! A worker makes its own, so that no two threads share an expression's scratch memory.
#![forbid(unsafe_code)]

mod cookie;
mod header;
mod metadata;
mod query;
mod string;
mod value;

pub use self::{
    cookie::{CookieMatcher, cookies},
    header::{HeaderMatcher, all_match, any_match},
    metadata::MetadataMatcher,
    query::{QueryParameterMatcher, parameters},
    string::StringMatcher,
    value::ValueMatcher,
};
