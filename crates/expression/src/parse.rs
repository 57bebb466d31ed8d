//! From text to abstract syntax.
//!
//! A parser of our own, for expressions come from guests: what it takes of stack and time is bounded by the limits of the
//! parser that Envoy 1.40 has, which are part of the language that plugins see.

mod grammar;
mod lexer;
mod literal;
mod macros;

pub(crate) use grammar::parse;

/// Code points that an expression may have (observed in Envoy 1.40).
const MAX_SIZE: usize = 100_000;

/// How deep an expression may nest (observed in Envoy 1.40): operators, calls, selections, lists and maps together.
const MAX_DEPTH: usize = 32;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(crate) struct SyntaxError {
    pub(crate) what: String,
    pub(crate) at: usize,
}

// === impl SyntaxError ===

impl SyntaxError {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { what: what.into(), at }
    }
}
