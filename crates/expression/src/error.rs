//! Why there is no expression, or no value.

/// Why a text or a message is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The text does not follow the grammar, or is too long or too deep.
    #[error("{0}")]
    Syntax(String),
    /// It does, but there is no such function, message or field, or it uses what is not allowed here.
    #[error("{0}")]
    Unknown(String),
}

/// Why an expression has no value now. `&&`, `||` and the folds can make up for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A variable or attribute that the stream does not have now.
    #[error("no value with that name")]
    NoSuchVariable,
    /// A map without that key.
    #[error("no such key")]
    NoSuchKey,
    /// A message without that field.
    #[error("no such field")]
    NoSuchField,
    /// A list shorter than that.
    #[error("index out of bounds")]
    NoSuchIndex,
    /// No function of that name for values of those types.
    #[error("no matching overload")]
    NoMatchingOverload,
    /// Division by zero.
    #[error("divide by zero")]
    DivisionByZero,
    /// A number, time or duration out of range.
    #[error("overflow")]
    Overflow,
    /// A value that its text, or its type, does not allow.
    #[error("invalid argument")]
    InvalidArgument,
    /// The evaluation took more steps or memory than an expression may. Nothing makes up for this.
    #[error("the expression takes too long")]
    TooLong,
}
