//! A tree whose strings are formats, rendered as one line of JSON.

use std::fmt;

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::format::{Command, Part, Rendered};
use crate::{FormatContext, FormatError, json_text, syntax};

/// Envoy's `json_format`: keys sorted, strings with commands rendered, a string that is one command keeps its type.
#[derive(Clone)]
pub struct JsonFormat {
    source: Struct,
    pieces: Vec<Piece>,
    omit_empty: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    /// JSON as it is.
    Raw(Vec<u8>),
    /// One command: its value with its type, `null` if absent.
    Value(Command),
    /// A string of several parts.
    Text(Vec<Part>),
}

// === impl JsonFormat ===

impl JsonFormat {
    /// Reads a tree of formats.
    ///
    /// # Errors
    /// What is wrong with the first bad string.
    pub fn parse(source: &Struct) -> Result<Self, FormatError> {
        let mut builder = Builder::default();
        builder.object(source)?;
        builder.flush();
        Ok(Self { source: source.clone(), pieces: builder.pieces, omit_empty: false })
    }

    /// Absent values in strings of several parts are left out, where they are `-` otherwise. An absent value that is
    /// alone is `null` nonetheless, as in Envoy 1.40.
    #[must_use]
    pub fn omitting_empty_values(mut self) -> Self {
        self.omit_empty = true;
        self
    }

    /// Appends the line, which ends with a line break.
    pub fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) {
        let mut scratch = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Raw(json) => out.extend_from_slice(json),
                Piece::Value(command) => value(command, context, &mut scratch, out),
                Piece::Text(parts) => {
                    out.push(b'"');
                    for part in parts {
                        self.part(part, context, &mut scratch, out);
                    }
                    out.push(b'"');
                }
            }
        }
        out.push(b'\n');
    }

    fn part(&self, part: &Part, context: &FormatContext<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        match part {
            Part::Text(text) => json_text::escape(text.as_bytes(), out),
            Part::Command(command) => {
                scratch.clear();
                match command.render(context, scratch) {
                    Rendered::Absent if self.omit_empty => {}
                    Rendered::Absent => out.push(b'-'),
                    Rendered::Text | Rendered::Json => json_text::escape(scratch, out),
                }
            }
        }
    }
}

impl PartialEq for JsonFormat {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.omit_empty == other.omit_empty
    }
}

impl fmt::Debug for JsonFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonFormat").field("source", &self.source).field("omit_empty", &self.omit_empty).finish()
    }
}

fn value(command: &Command, context: &FormatContext<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    match command.render_value(context, scratch) {
        Rendered::Absent => out.extend_from_slice(b"null"),
        Rendered::Json => out.extend_from_slice(scratch),
        Rendered::Text => json_text::string(scratch, out),
    }
}

#[derive(Default)]
struct Builder {
    pieces: Vec<Piece>,
    raw: Vec<u8>,
}

// === impl Builder ===

impl Builder {
    fn object(&mut self, fields: &Struct) -> Result<(), FormatError> {
        self.raw.push(b'{');
        for (index, (key, value)) in fields.fields.iter().enumerate() {
            if index > 0 {
                self.raw.push(b',');
            }
            json_text::string(key.as_bytes(), &mut self.raw);
            self.raw.push(b':');
            self.value(value)?;
        }
        self.raw.push(b'}');
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), FormatError> {
        match &value.kind {
            Some(Kind::StructValue(fields)) => self.object(fields)?,
            Some(Kind::ListValue(list)) => {
                self.raw.push(b'[');
                for (index, value) in list.values.iter().enumerate() {
                    if index > 0 {
                        self.raw.push(b',');
                    }
                    self.value(value)?;
                }
                self.raw.push(b']');
            }
            Some(Kind::StringValue(text)) if text.contains('%') => {
                self.flush();
                let mut parts = syntax::parse(text)?;
                let last = parts.pop();
                self.pieces.push(match last {
                    Some(Part::Command(command)) if parts.is_empty() => Piece::Value(command),
                    last => {
                        parts.extend(last);
                        Piece::Text(parts)
                    }
                });
            }
            _ => json_text::value(value, &mut self.raw),
        }
        Ok(())
    }

    fn flush(&mut self) {
        if !self.raw.is_empty() {
            self.pieces.push(Piece::Raw(std::mem::take(&mut self.raw)));
        }
    }
}
