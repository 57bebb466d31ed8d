//! Why a format is refused.

/// A format that Envoy 1.40 refuses, with its words; or a command that is not implemented.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A `%` that begins no command, at a byte of the format.
    #[error("Incorrect configuration: {format}. Couldn't find valid command at position {position}")]
    NoCommand {
        /// The whole format.
        format: String,
        /// Of the `%`, in bytes.
        position: usize,
    },
    /// There is no such command.
    #[error("Not supported field in StreamInfo: {0}")]
    UnknownCommand(String),
    /// A command that takes nothing was given something.
    #[error("{0} does not take any parameters or length")]
    TakesNothing(String),
    /// The part in parentheses is missing or empty.
    #[error("{0} requires parameters")]
    NeedsParameters(String),
    /// `:LENGTH` where it is not allowed.
    #[error("{0} does not allow length to be specified.")]
    NoLength(String),
    /// `%REQ(a?b?c)%`.
    #[error("More than 1 alternative header specified in token: {0}")]
    Alternatives(String),
    /// A header name that cannot be one.
    #[error("Invalid header configuration. Format string contains invalid characters.")]
    HeaderName,
    /// A time format that makes line breaks.
    #[error("Invalid header configuration. Format string contains newline.")]
    NewlineInTime,
    /// What a command was given means nothing to it.
    #[error("{0}")]
    Parameter(String),
    /// Envoy has the command, this program has not.
    #[error("the format command {0} is not implemented")]
    NotImplemented(&'static str),
}
