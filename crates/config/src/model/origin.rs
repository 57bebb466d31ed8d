//! Where something stands in the configuration.

use std::{fmt, sync::Arc};

/// The place that an object was read from, so that an error found later (a port in use, a module that does not compile) can name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The file's name as it was given, or what stands for it.
    pub file: Arc<str>,
    /// From 1; 0 if unknown.
    pub line: u32,
    /// From 1, in characters; 0 if unknown.
    pub column: u32,
    /// The path of fields, such as `static_resources.listeners[0].address`.
    pub path: String,
}

// === impl Origin ===

impl Origin {
    /// `file:line:column`, as far as known.
    #[must_use]
    pub fn place(&self) -> String {
        if self.line == 0 { self.file.to_string() } else { format!("{}:{}:{}", self.file, self.line, self.column) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.path)
    }
}
