//! A compiled expression.

use bytes::Bytes;

use crate::activation::Activation;
use crate::ast::Expr;
use crate::evaluate::State;
use crate::node::Node;
use crate::{CompileError, Environment, EvaluateError, Value, compile, parse, print, wire};

/// An expression, compiled once and evaluated many times, on any thread.
/// Compared by what it was compiled from.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Bytes,
    node: Node,
    locals: usize,
    environment: Environment,
}

// === impl Expression ===

impl Expression {
    /// Compiles a text: at most 100 000 code points, at most 32 deep (as Envoy 1.40).
    ///
    /// # Errors
    /// The text is no expression, or names a function or message that the environment does not have.
    pub fn parse(text: &[u8], environment: &Environment) -> Result<Self, CompileError> {
        let text = std::str::from_utf8(text).map_err(|error| CompileError::Syntax(error.to_string()))?;
        let expr = parse::parse(text).map_err(|error| CompileError::Syntax(error.to_string()))?;
        Self::new(text.as_bytes(), &expr, environment)
    }

    /// Compiles a serialized `google.api.expr.v1alpha1.Expr`, or `cel.expr.Expr`, which is the same.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_message(expr: &[u8], environment: &Environment) -> Result<Self, CompileError> {
        Self::new(expr, &wire::decode(expr)?, environment)
    }

    fn new(source: &[u8], expr: &Expr, environment: &Environment) -> Result<Self, CompileError> {
        let (node, locals) = compile::compile(expr, environment)?;
        Ok(Self { source: Bytes::copy_from_slice(source), node, locals, environment: environment.clone() })
    }

    /// Evaluates the expression. Takes no more than some tens of milliseconds, whatever the expression.
    ///
    /// # Errors
    /// There is no value.
    pub fn evaluate(&self, activation: &Activation<'_>) -> Result<Value, EvaluateError> {
        let mut state = State::new(activation, &self.environment, self.locals);
        let value = state.evaluate(&self.node)?;
        Ok(state.settled(value))
    }

    /// Whether the expression gives `true`: other values and errors are no.
    #[must_use]
    pub fn matches(&self, activation: &Activation<'_>) -> bool {
        matches!(self.evaluate(activation), Ok(Value::Bool(true)))
    }

    /// The value as `%CEL%` of access logs shows it; nothing if there is none.
    #[must_use]
    pub fn print(&self, activation: &Activation<'_>) -> Option<Vec<u8>> {
        self.evaluate(activation).ok().map(|value| print::print(&value))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}
