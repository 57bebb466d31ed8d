//! A tree whose strings are formats, rendered as one line of JSON.

use std::fmt;

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use crate::format::{Command, Part, Rendered};
use crate::{FormatContext, FormatError, json_text, syntax};

/// Envoy's `json_format`: keys sorted, strings with commands rendered; a string that is one command keeps its type.
#[derive(Clone)]
pub struct JsonFormat {
    source: Struct,
    root: Vec<(Key, Node)>,
    omit_empty: bool,
}

/// A key with its quotes and its colon.
type Key = Vec<u8>;

#[derive(Clone, Debug)]
enum Node {
    /// JSON as it is.
    Raw(Vec<u8>),
    Null,
    /// One command: its value with its type.
    Value(Command),
    /// A string of several parts.
    Text(Vec<Part>),
    Object(Vec<(Key, Node)>),
    List(Vec<Node>),
}

/// What is rendered, and where to.
struct Line<'a> {
    context: &'a FormatContext<'a>,
    omit_empty: bool,
    scratch: Vec<u8>,
    out: &'a mut Vec<u8>,
}

// === impl JsonFormat ===

impl JsonFormat {
    /// Reads a tree of formats.
    ///
    /// # Errors
    /// What is wrong with the first bad string.
    pub fn parse(source: &Struct) -> Result<Self, FormatError> {
        Ok(Self { source: source.clone(), root: object(source)?, omit_empty: false })
    }

    /// Absent values are left out with their keys, and so are objects in which nothing is left; absent parts of strings
    /// are empty rather than `-`. Lists stay, if empty.
    #[must_use]
    pub fn omitting_empty_values(mut self) -> Self {
        self.omit_empty = true;
        self
    }

    /// Appends the line, which ends with a line break.
    pub fn render(&self, context: &FormatContext<'_>, out: &mut Vec<u8>) {
        let mut line = Line { context, omit_empty: self.omit_empty, scratch: Vec::new(), out };
        if !line.object(&self.root) {
            line.out.extend_from_slice(b"{}");
        }
        out.push(b'\n');
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

fn object(fields: &Struct) -> Result<Vec<(Key, Node)>, FormatError> {
    let field = |(name, value): (&String, &Value)| {
        let mut key = Vec::new();
        json_text::string(name.as_bytes(), &mut key);
        key.push(b':');
        Ok((key, node(value)?))
    };
    fields.fields.iter().map(field).collect()
}

fn node(value: &Value) -> Result<Node, FormatError> {
    Ok(match &value.kind {
        None | Some(Kind::NullValue(_)) => Node::Null,
        Some(Kind::StructValue(fields)) => Node::Object(object(fields)?),
        Some(Kind::ListValue(list)) => Node::List(list.values.iter().map(node).collect::<Result<_, _>>()?),
        Some(Kind::StringValue(text)) if text.contains('%') => {
            let mut parts = syntax::parse(text)?;
            match parts.pop() {
                Some(Part::Command(command)) if parts.is_empty() => Node::Value(command),
                last => {
                    parts.extend(last);
                    Node::Text(parts)
                }
            }
        }
        Some(_) => {
            let mut raw = Vec::new();
            json_text::value(value, &mut raw);
            Node::Raw(raw)
        }
    })
}

// === impl Line ===

impl Line<'_> {
    /// Appends an object; `false` if nothing is left of it.
    fn object(&mut self, fields: &[(Key, Node)]) -> bool {
        let start = self.out.len();
        self.out.push(b'{');
        let mut empty = true;
        for (key, value) in fields {
            let before = self.out.len();
            if !empty {
                self.out.push(b',');
            }
            self.out.extend_from_slice(key);
            if self.node(value) {
                empty = false;
            } else {
                self.out.truncate(before);
            }
        }
        if empty && self.omit_empty {
            self.out.truncate(start);
            return false;
        }
        self.out.push(b'}');
        true
    }

    /// Appends a value; `false` if it is left out.
    fn node(&mut self, node: &Node) -> bool {
        match node {
            Node::Raw(json) => self.out.extend_from_slice(json),
            Node::Null => return self.null(),
            Node::Value(command) => return self.value(command),
            Node::Text(parts) => self.text(parts),
            Node::Object(fields) => return self.object(fields),
            Node::List(values) => {
                self.out.push(b'[');
                let mut empty = true;
                for value in values {
                    let before = self.out.len();
                    if !empty {
                        self.out.push(b',');
                    }
                    if self.node(value) {
                        empty = false;
                    } else {
                        self.out.truncate(before);
                    }
                }
                self.out.push(b']');
            }
        }
        true
    }

    fn null(&mut self) -> bool {
        if !self.omit_empty {
            self.out.extend_from_slice(b"null");
        }
        !self.omit_empty
    }

    fn value(&mut self, command: &Command) -> bool {
        self.scratch.clear();
        match command.render_value(self.context, &mut self.scratch) {
            Rendered::Absent => return self.null(),
            Rendered::Json => self.out.extend_from_slice(&self.scratch),
            Rendered::Text => json_text::string(&self.scratch, self.out),
        }
        true
    }

    fn text(&mut self, parts: &[Part]) {
        self.out.push(b'"');
        for part in parts {
            match part {
                Part::Text(text) => json_text::escape(text.as_bytes(), self.out),
                Part::Command(command) => {
                    self.scratch.clear();
                    match command.render(self.context, &mut self.scratch) {
                        Rendered::Absent if self.omit_empty => {}
                        Rendered::Absent => self.out.push(b'-'),
                        Rendered::Text | Rendered::Json => json_text::escape(&self.scratch, self.out),
                    }
                }
            }
        }
        self.out.push(b'"');
    }
}
