//! What the schema's options say of messages and their fields. The options are decoded anew each time they are asked for, so that they are
//! kept here: a control plane may send ten thousand clusters.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, OneofDescriptor};

/// Of all messages that were asked about.
#[derive(Debug, Default)]
pub(crate) struct RuleTable {
    messages: Mutex<HashMap<String, Arc<MessageRules>>>,
}

/// Of one message.
#[derive(Debug)]
pub(crate) struct MessageRules {
    pub(crate) fields: Vec<(FieldDescriptor, FieldRules)>,
    /// One of each must be set.
    pub(crate) required_oneofs: Vec<OneofDescriptor>,
}

/// Of one field.
#[derive(Debug)]
pub(crate) struct FieldRules {
    /// `validate.rules`.
    pub(crate) rules: Option<DynamicMessage>,
    pub(crate) deprecated: bool,
    pub(crate) disallowed: bool,
    /// The rules inside of it do not hold there.
    pub(crate) skip: bool,
    /// What is in it is shown to nobody.
    pub(crate) sensitive: bool,
}

// === impl RuleTable ===

impl RuleTable {
    pub(crate) fn of(&self, pool: &DescriptorPool, message: &MessageDescriptor) -> Arc<MessageRules> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = messages.get(message.full_name()) {
            return Arc::clone(rules);
        }
        let rules = Arc::new(MessageRules::new(pool, message));
        messages.insert(message.full_name().to_owned(), Arc::clone(&rules));
        rules
    }
}

// === impl MessageRules ===

impl MessageRules {
    fn new(pool: &DescriptorPool, message: &MessageDescriptor) -> Self {
        let required = pool.get_extension_by_name("validate.required");
        let is_required = |oneof: &OneofDescriptor| {
            let options = oneof.options();
            required.as_ref().is_some_and(|required| options.get_extension(required).as_bool() == Some(true))
        };
        Self {
            fields: message.fields().map(|field| (field.clone(), FieldRules::new(pool, &field))).collect(),
            required_oneofs: message.oneofs().filter(is_required).collect(),
        }
    }
}

// === impl FieldRules ===

impl FieldRules {
    fn new(pool: &DescriptorPool, field: &FieldDescriptor) -> Self {
        let options = field.options();
        let extension = |name| pool.get_extension_by_name(name);
        let rules = extension("validate.rules")
            .filter(|rules| options.has_extension(rules))
            .and_then(|rules| options.get_extension(&rules).as_message().cloned());
        let says = |name| extension(name).is_some_and(|said| options.get_extension(&said).as_bool() == Some(true));
        let disallowed = says("envoy.annotations.disallowed_by_default");
        let sensitive = says("udpa.annotations.sensitive");
        let deprecated = options.get_field_by_name("deprecated").is_some_and(|value| value.as_bool() == Some(true));
        let skip =
            rules.as_ref().and_then(|rules: &DynamicMessage| rules.get_field_by_name("message")).is_some_and(|rules| {
                rules
                    .as_message()
                    .and_then(|rules| rules.get_field_by_name("skip"))
                    .is_some_and(|skip| skip.as_bool() == Some(true))
            });
        Self { rules, deprecated, disallowed, skip, sensitive }
    }
}
