//! Text with commands.

use std::fmt;

use crate::operator::Operator;
use crate::{FormatContext, FormatError, syntax};

/// A format string, read. Cheap to render: nothing is parsed or looked up by name any more.
#[derive(Clone)]
pub struct Format {
    text: String,
    parts: Vec<Part>,
    omit_empty: bool,
}

/// A piece of a format.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    Command(Command),
}

/// A command with the most bytes its text may have.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) operator: Operator,
    pub(crate) max_length: Option<usize>,
}

/// What a command has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendered {
    /// Nothing: the value is unknown.
    Absent,
    /// Text, possibly empty.
    Text,
    /// A number, a truth value, an object or a list, as JSON writes it.
    Json,
}

// === impl Format ===

impl Format {
    /// Reads a format.
    ///
    /// # Errors
    /// As Envoy 1.40 refuses formats, with its words.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        Ok(Self { text: text.to_owned(), parts: syntax::parse(text)?, omit_empty: false })
    }

    /// The same, where an absent value renders as nothing rather than as `-` (`omit_empty_values`; header values do so always).
    #[must_use]
    pub fn omitting_empty_values(mut self) -> Self {
        self.omit_empty = true;
        self
    }

    /// The format as it was configured.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, if there is no command in the format: it renders the same always.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends what the format makes of `context`.
    pub fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Command(command) => {
                    if command.render(context, out) == Rendered::Absent && !self.omit_empty {
                        out.push(b'-');
                    }
                }
            }
        }
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.omit_empty == other.omit_empty
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Format").field("text", &self.text).field("omit_empty", &self.omit_empty).finish()
    }
}

// === impl Command ===

impl Command {
    /// Appends the command's value.
    pub(crate) fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        let before = out.len();
        let rendered = self.operator.render(context, out);
        if let Some(max) = self.max_length {
            out.truncate(before.saturating_add(max));
        }
        rendered
    }

    /// Appends the command's value for JSON, where values from metadata are not cut.
    pub(crate) fn render_value(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) -> Rendered {
        if let Operator::Expression(expression) = &self.operator
            && expression.typed
        {
            return expression.render_value(context, self.max_length, out);
        }
        if matches!(self.operator, Operator::Metadata(_)) {
            return self.operator.render(context, out);
        }
        self.render(context, out)
    }
}
