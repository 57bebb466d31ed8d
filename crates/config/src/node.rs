//! A configuration's text as a tree in which every node knows its place.

use std::rc::Rc;

use crate::suggest::shown;

pub(crate) mod json;
pub(crate) mod yaml;

/// How deep a text may nest; Envoy's parsers stop at 100 and 500.
pub(crate) const MAX_TEXT_DEPTH: usize = 400;

/// A place in a text: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Mark,
}

/// A value, typed as Envoy types it.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A whole number; in YAML always one of 32 bits.
    Int(i128),
    /// Only in JSON.
    Float(f64),
    String(String),
    /// Shared, since a YAML alias is a second mention of a node.
    List(Vec<Rc<Node>>),
    /// In order of the text; no key twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Mark,
    pub(crate) node: Rc<Node>,
}

/// Something to say about the text itself.
#[derive(Debug)]
pub(crate) struct Remark {
    pub(crate) at: Mark,
    pub(crate) message: String,
}

/// A text as a tree.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Rc<Node>,
    /// What is odd, though not wrong.
    pub(crate) remarks: Vec<Remark>,
}

// === impl Value ===

impl Value {
    /// What this is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Another mention of this entry; the node is shared.
    pub(crate) fn again(&self) -> Self {
        Self { key: self.key.clone(), at: self.at, node: Rc::clone(&self.node) }
    }
}

// === impl Mark ===

impl Mark {
    pub(crate) fn new(line: usize, column: usize) -> Self {
        Self { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
    }
}

/// Entries under construction: the last of two equal keys wins, in the place of the first, with a remark.
#[derive(Debug, Default)]
struct Entries {
    entries: Vec<Entry>,
    index: std::collections::HashMap<String, usize>,
}

// === impl Entries ===

impl Entries {
    fn insert(&mut self, entry: Entry, remarks: &mut Vec<Remark>) {
        if let Some(old) = self.index.get(&entry.key).and_then(|index| self.entries.get_mut(*index)) {
            let message =
                format!("duplicate key \"{}\": it replaces the one in line {}", shown(&entry.key), old.at.line);
            remarks.push(Remark { at: entry.at, message });
            *old = entry;
        } else {
            self.index.insert(entry.key.clone(), self.entries.len());
            self.entries.push(entry);
        }
    }
}
