//! What can be said of a message from the schema alone: rules that its fields break, fields that are deprecated, and fields that this program
//! does not implement.

use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, OneofDescriptor, ReflectMessage as _, Value};

use crate::{
    diagnostics::Severity,
    load::Unsupported,
    read::{AnyUse, Unpacked},
    report::{Report, field_path, item_path, key_path},
    schema::{Schema, Standing, rules::FieldRules},
};

mod rules;
mod text;

pub(crate) use self::text::map_key;

/// Checks messages, and those in them.
pub(crate) struct Checker<'a> {
    schema: &'static Schema,
    report: &'a mut Report,
    unpacked: &'a Unpacked,
    unsupported: Unsupported,
}

/// Whether what is inside of a field matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It does.
    Implemented,
    /// It is ignored, or refused as a whole already.
    Ignored,
}

// === impl Checker ===

impl<'a> Checker<'a> {
    pub(crate) fn new(
        schema: &'static Schema,
        report: &'a mut Report,
        unpacked: &'a Unpacked,
        unsupported: Unsupported,
    ) -> Self {
        Self { schema, report, unpacked, unsupported }
    }

    /// Checks the root of a configuration.
    pub(crate) fn root(&mut self, message: &DynamicMessage) {
        self.message(message, "", Reach::Implemented);
    }

    fn message(&mut self, message: &DynamicMessage, path: &str, reach: Reach) {
        let descriptor = message.descriptor();
        match descriptor.full_name() {
            "google.protobuf.Any" => return self.any(message, path, reach),
            name if name.starts_with("google.protobuf.") => return,
            _ => {}
        }
        let all = self.schema.rules(&descriptor);
        self.oneofs(&all.required_oneofs, message, path);
        for (field, options) in &all.fields {
            let present = message.has_field(field);
            if !present && options.rules.is_none() {
                continue;
            }
            let path = field_path(path, field.name());
            if let Some(rules) = &options.rules {
                self.rules(rules, field, present.then(|| message.get_field(field)).as_deref(), &path);
            }
            if !present {
                continue;
            }
            self.deprecated(options, field, &path);
            let value = message.get_field(field);
            let reach = match reach {
                Reach::Implemented => self.standing(&descriptor, field, &value, &path),
                Reach::Ignored => Reach::Ignored,
            };
            // What is passed on to a guest is for the guest to judge.
            if AnyUse::of(field) == AnyUse::Extension && !options.skip {
                self.inside(&value, &path, reach);
            }
        }
    }

    fn inside(&mut self, value: &Value, path: &str, reach: Reach) {
        match value {
            Value::Message(message) => self.message(message, path, reach),
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(item, &item_path(path, index), reach);
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.inside(value, &key_path(path, &text::map_key(key)), reach);
                }
            }
            _ => {}
        }
    }

    fn any(&mut self, any: &DynamicMessage, path: &str, reach: Reach) {
        // What has no schema here was not unpacked; whether it matters is for the code that would use it to say.
        let unpacked: &'a Unpacked = self.unpacked;
        let type_url = any.get_field_by_name("type_url");
        let name =
            type_url.as_deref().and_then(Value::as_str).and_then(|url| url.rsplit('/').next()).unwrap_or_default();
        match unpacked.get(path) {
            Some(message) if message.descriptor().full_name() == name => self.message(message, path, reach),
            _ => {}
        }
    }

    fn oneofs(&mut self, required: &[OneofDescriptor], message: &DynamicMessage, path: &str) {
        for oneof in required {
            if !oneof.fields().any(|field| message.has_field(&field)) && !self.report.is_broken(path) {
                let names: Vec<_> = oneof.fields().map(|field| field.name().to_owned()).collect();
                self.report.error(path, format!("one of {} is required", names.join(", ")));
            }
        }
    }

    fn deprecated(&mut self, options: &FieldRules, field: &FieldDescriptor, path: &str) {
        let name = field.full_name();
        if options.disallowed {
            self.report.add_at_key(Severity::Error, path, format!("{name} is no longer allowed"));
        } else if options.deprecated {
            self.report.add_at_key(Severity::Warning, path, format!("using deprecated option '{name}'"));
        }
    }

    fn standing(&mut self, message: &MessageDescriptor, field: &FieldDescriptor, value: &Value, path: &str) -> Reach {
        let name = field.name();
        match self.schema.standing(message.full_name(), name, &text::value(value, &field.kind())) {
            Standing::Done => return Reach::Implemented,
            Standing::Harmless(reason) => {
                self.report.add_at_key(Severity::Note, path, format!("{name} has no effect: {reason}"));
            }
            Standing::Lost(what) if self.unsupported == Unsupported::Warn => {
                self.report.add_at_key(
                    Severity::Warning,
                    path,
                    format!("{name} is not implemented and ignored: {what}"),
                );
            }
            Standing::Lost(what) => {
                let message = format!("{name} is not implemented (--unsupported=warn would go on: {what})");
                self.report.add_at_key(Severity::Error, path, message);
            }
            Standing::Refused("") => {
                self.report.add_at_key(Severity::Error, path, format!("{name} is not implemented"));
            }
            Standing::Refused(reason) => {
                self.report.add_at_key(Severity::Error, path, format!("{name} is not implemented: {reason}"));
            }
        }
        Reach::Ignored
    }
}
