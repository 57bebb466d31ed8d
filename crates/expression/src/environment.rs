//! What the language has, depending on who asks.

use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

/// See [`Environment::register_types`].
static TYPES: OnceLock<fn() -> Option<&'static DescriptorPool>> = OnceLock::new();

/// What expressions may use.
#[derive(Clone, Debug)]
pub struct Environment {
    pub(crate) comprehensions: bool,
    pub(crate) string_conversion: bool,
    pub(crate) concatenation: bool,
    pub(crate) regex_functions: bool,
    types: fn() -> Option<&'static DescriptorPool>,
}

// === impl Environment ===

impl Environment {
    /// What Envoy gives to its own users of the language: access log filters, `%CEL%`, RBAC. No comprehensions, no concatenation, no
    /// `string()`; but `re.extract` and its like.
    #[must_use]
    pub fn filters() -> Self {
        Self {
            comprehensions: false,
            string_conversion: false,
            concatenation: false,
            regex_functions: true,
            types: || TYPES.get().and_then(|types| types()),
        }
    }

    /// The Protobuf messages that the expressions of filters can read and make in this process; the first call counts. Formats are read in
    /// many places, which know nothing of messages.
    pub fn register_types(types: fn() -> Option<&'static DescriptorPool>) {
        // Whoever comes second has the same schema.
        let _ = TYPES.set(types);
    }

    /// What plugins get from `expr_create`: the whole of the standard library, no extensions.
    #[must_use]
    pub fn plugins() -> Self {
        Self {
            comprehensions: true,
            string_conversion: true,
            concatenation: true,
            regex_functions: false,
            types: || None,
        }
    }

    /// With these Protobuf messages, which expressions can read and make. Asked for when an expression first needs one.
    #[must_use]
    pub fn with_types(self, types: fn() -> Option<&'static DescriptorPool>) -> Self {
        Self { types, ..self }
    }

    /// With `string()` and the other conversions to strings.
    #[must_use]
    pub fn with_string_conversion(self, string_conversion: bool) -> Self {
        Self { string_conversion, ..self }
    }

    /// With `+` of strings and of bytes.
    #[must_use]
    pub fn with_concatenation(self, concatenation: bool) -> Self {
        Self { concatenation, ..self }
    }

    pub(crate) fn message(&self, name: &str) -> Option<MessageDescriptor> {
        (self.types)()?.get_message_by_name(name)
    }
}
