//! What routes and their like do to headers.

use sandgate_formatter::Format;

/// Envoy's `…_headers_to_add` and `…_headers_to_remove` of one place.
///
/// First the removals; then every value is made from the headers as they were, then those that overwrite are set, then the others added
/// (observed in Envoy 1.40).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeaderMutations {
    /// In order.
    pub add: Vec<HeaderValueOption>,
    /// Names in lower case; neither `host` nor one that begins with a colon.
    pub remove: Vec<String>,
}

/// Envoy's `envoy.config.core.v3.HeaderValueOption`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeaderValueOption {
    /// In lower case; neither `host` nor one that begins with a colon.
    pub name: String,
    /// Absent values are left out of it. A header without a value is not added, unless `keep_empty_value`.
    pub value: Format,
    /// What if there is one of the name.
    pub action: HeaderAppendAction,
    /// Also add it if its value is empty.
    pub keep_empty_value: bool,
}

/// Envoy's `HeaderAppendAction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderAppendAction {
    /// Add one more; a header that Envoy keeps in one line gets the value after a comma.
    #[default]
    AppendIfExistsOrAdd,
    /// Leave it alone.
    AddIfAbsent,
    /// Replace it.
    OverwriteIfExistsOrAdd,
    /// Replace it, and add nothing where there is none.
    OverwriteIfExists,
}

// === impl HeaderMutations ===

impl HeaderMutations {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}
