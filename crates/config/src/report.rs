//! What is found on the way, and the places of everything that was read.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    diagnostics::{Diagnostic, Severity},
    model::Origin,
    node::Mark,
};

/// More findings than anybody reads; the rest is dropped.
const MAX_FINDINGS: usize = 10_000;

/// Findings, and where the fields stand that they are about.
#[derive(Debug)]
pub(crate) struct Report {
    /// The text that is being read.
    pub(crate) file: Arc<str>,
    places: HashMap<String, Place>,
    /// Fields that could not be read, and all that are around them.
    broken: HashSet<String>,
    items: Vec<Diagnostic>,
}

#[derive(Clone, Debug)]
struct Place {
    file: Arc<str>,
    key: Mark,
    value: Mark,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(file: Arc<str>) -> Self {
        Self { file, places: HashMap::new(), broken: HashSet::new(), items: Vec::new() }
    }

    /// Remembers where the field at `path` stands.
    pub(crate) fn place(&mut self, path: &str, key: Mark, value: Mark) {
        self.places.insert(path.to_owned(), Place { file: Arc::clone(&self.file), key, value });
    }

    /// A finding about the value of the field at `path`, or of the nearest one around it.
    pub(crate) fn add(&mut self, severity: Severity, path: &str, message: impl Into<String>) {
        let origin = self.origin(path);
        self.push(severity, origin, message.into());
    }

    pub(crate) fn error(&mut self, path: &str, message: impl Into<String>) {
        self.add(Severity::Error, path, message);
    }

    /// A finding about the field itself, not its value.
    pub(crate) fn add_at_key(&mut self, severity: Severity, path: &str, message: impl Into<String>) {
        let origin = self.locate(path, |place| place.key);
        self.push(severity, origin, message.into());
    }

    /// A finding about a place in the text that is being read.
    pub(crate) fn add_at(&mut self, severity: Severity, at: Mark, path: &str, message: impl Into<String>) {
        let origin = Origin { file: Arc::clone(&self.file), line: at.line, column: at.column, path: path.to_owned() };
        self.push(severity, origin, message.into());
    }

    /// The field at `path` could not be read; that it is missing needs no mention.
    pub(crate) fn break_at(&mut self, at: Mark, path: &str, message: impl Into<String>) {
        if self.broken.len() < MAX_FINDINGS {
            let mut around = Some(path);
            while let Some(path) = around {
                // Whatever is around a path that is known is known too.
                if !self.broken.insert(path.to_owned()) {
                    break;
                }
                around = parent(path);
            }
        }
        self.add_at(Severity::Error, at, path, message);
    }

    /// Whether the field at `path`, or one in it, could not be read.
    pub(crate) fn is_broken(&self, path: &str) -> bool {
        self.broken.contains(path)
    }

    /// Where the value at `path` stands.
    pub(crate) fn origin(&self, path: &str) -> Origin {
        self.locate(path, |place| place.value)
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    pub(crate) fn into_items(self) -> Vec<Diagnostic> {
        self.items
    }

    fn push(&mut self, severity: Severity, origin: Origin, message: String) {
        if self.items.len() < MAX_FINDINGS {
            self.items.push(Diagnostic { severity, origin, message });
        }
    }

    fn locate(&self, path: &str, mark: impl Fn(&Place) -> Mark) -> Origin {
        let mut at = path;
        loop {
            if let Some(place) = self.places.get(at) {
                let Mark { line, column } = mark(place);
                return Origin { file: Arc::clone(&place.file), line, column, path: path.to_owned() };
            }
            match parent(at) {
                Some(around) => at = around,
                None => return Origin { file: Arc::clone(&self.file), path: path.to_owned(), ..Origin::default() },
            }
        }
    }
}

/// The path of what is around the field at `path`: `a.b[0]` is in `a.b`, which is in `a`, which is in the empty path.
fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    let cut = if path.ends_with("\"]") {
        path.rfind("[\"")
    } else if path.ends_with(']') {
        path.rfind('[')
    } else {
        path.rfind('.')
    };
    path.get(..cut.unwrap_or(0))
}

/// Adds a field to a path.
pub(crate) fn field_path(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Adds a list's index to a path.
pub(crate) fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// Adds a map's key to a path.
pub(crate) fn key_path(path: &str, key: &str) -> String {
    format!("{path}[\"{}\"]", key.escape_debug())
}
