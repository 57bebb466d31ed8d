//! The abstract syntax of an expression, before its names are resolved.

use crate::Value;

/// An expression as it was written, macros replaced.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Literal(Value),
    Ident(String),
    /// `operand.field`, or `has(operand.field)`.
    Select {
        operand: Box<Expr>,
        field: String,
        test: bool,
    },
    /// A function or an operator, by its canonical name such as `_+_`. `_&&_` and `_||_` may have more than two arguments.
    Call {
        target: Option<Box<Expr>>,
        function: String,
        arguments: Vec<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Message {
        name: String,
        fields: Vec<(String, Expr)>,
    },
    Comprehension(Box<Comprehension>),
}

/// What `all`, `exists`, `exists_one`, `map` and `filter` become: a fold.
#[derive(Clone, Debug)]
pub(crate) struct Comprehension {
    pub(crate) variable: String,
    pub(crate) range: Expr,
    pub(crate) accumulator: String,
    pub(crate) initial: Expr,
    /// Goes on while this is not false.
    pub(crate) condition: Expr,
    pub(crate) step: Expr,
    pub(crate) result: Expr,
}

// === impl Expr ===

impl Expr {
    pub(crate) fn ident(name: &str) -> Self {
        Self::Ident(name.to_owned())
    }

    pub(crate) fn call(function: &str, arguments: Vec<Self>) -> Self {
        Self::Call { target: None, function: function.to_owned(), arguments }
    }
}
