//! The Common Expression Language (CEL) over the attribute tree of a stream, as Envoy 1.40 has it.
//!
//! [`Expression::parse`] compiles a text once; [`Expression::evaluate`] reads of an [`Activation`] only what it comes to.
//! The [`Environment`] says what the language has: plugins get more of it than filters.
//!
//! The evaluator is our own. What decides is what cel-cpp answers inside Envoy, its gaps and its leniency with it; expressions of guests
//! need bounds on stack, time and memory; and attributes are to be read only when they are asked for, from streams that belong to one thread.
#![forbid(unsafe_code)]

mod activation;
mod ast;
mod budget;
mod compile;
mod environment;
mod error;
mod evaluate;
mod expression;
mod functions;
mod json;
mod message;
mod node;
mod parse;
mod path;
mod print;
mod text;
mod time;
mod value;
mod wire;

pub use activation::{Activation, Attributes};
pub use environment::Environment;
pub use error::{CompileError, EvaluateError};
pub use expression::Expression;
pub use value::{Map, Value};
