//! Nodes to messages, by the schema, as Envoy's JSON parser does it (observed in Envoy 1.40).
//!
//! Field names may be in snake or camel case; null leaves a field unset; one value stands for a list of one, and lists in lists are
//! flattened; two members of one `oneof` are an error. What cannot be read is reported, left unset, and reading goes on.

use std::collections::HashMap;

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, ReflectMessage as _, Value as Field,
};

use crate::{
    diagnostics::Severity,
    node::{Entry, Mark, Node, Remark, Value},
    report::{Report, field_path, item_path, key_path},
    schema::Schema,
    suggest::{shown, suggest},
};

mod any;
mod scalar;
mod well_known;

pub(crate) use self::any::TYPED_STRUCTS;

/// Nested objects and lists that Envoy takes.
const MAX_DEPTH: usize = 100;
/// Nodes read from one text, each mention of an alias counted anew.
const MAX_NODES: usize = 400_000;

/// The messages in the `Any`s of a configuration, by path.
pub(crate) type Unpacked = HashMap<String, DynamicMessage>;

/// Reads nodes into messages.
pub(crate) struct Reader<'a> {
    schema: &'static Schema,
    report: &'a mut Report,
    unpacked: &'a mut Unpacked,
    nodes_left: usize,
    depth: usize,
    /// How many values without a schema we are in.
    free_form: usize,
    /// How often a type's name may still be compared with all that there are.
    suggestions_left: usize,
}

/// Whether an `Any` is for this program or passed on as it is: in the latter a `TypedStruct` is not unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyUse {
    Extension,
    PassedOn,
}

// === impl AnyUse ===

impl AnyUse {
    pub(crate) fn of(field: &FieldDescriptor) -> Self {
        match field.full_name() {
            "envoy.extensions.wasm.v3.PluginConfig.configuration"
            | "envoy.extensions.wasm.v3.VmConfig.configuration" => Self::PassedOn,
            _ => Self::Extension,
        }
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) fn new(schema: &'static Schema, report: &'a mut Report, unpacked: &'a mut Unpacked) -> Self {
        Self { schema, report, unpacked, nodes_left: MAX_NODES, depth: 0, free_form: 0, suggestions_left: 20 }
    }

    /// Reads the root of a document over `message`, whose fields give way to those of the document, lists excepted, which are extended.
    pub(crate) fn root(&mut self, node: &Node, message: &mut DynamicMessage) {
        match &node.value {
            Value::Map(entries) => {
                self.nested(node.at, "", |reader| reader.fields(entries, message, "")).unwrap_or_default()
            }
            other => self.report.break_at(node.at, "", format!("expected an object, found {}", other.describe())),
        }
    }

    /// Reads one message that stands alone.
    pub(crate) fn free(&mut self, node: &Node, message: DynamicMessage) -> Option<DynamicMessage> {
        self.message(message, node, AnyUse::Extension, "")
    }

    /// Remembers a place, unless it is in a value without a schema, which nobody will ask about.
    fn place(&mut self, path: &str, key: Mark, value: Mark) {
        if self.free_form == 0 {
            self.report.place(path, key, value);
        }
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, at: Mark, path: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            self.report.break_at(at, path, format!("nested deeper than {MAX_DEPTH} levels"));
            return None;
        }
        self.depth = self.depth.saturating_add(1);
        let result = read(self);
        self.depth = self.depth.saturating_sub(1);
        Some(result)
    }

    /// Counts a node; `None` once there were too many.
    fn count(&mut self, at: Mark, path: &str) -> Option<()> {
        match self.nodes_left {
            0 => return None,
            1 => self.report.break_at(at, path, format!("more than {MAX_NODES} values, counting those of aliases")),
            _ => {}
        }
        self.nodes_left = self.nodes_left.saturating_sub(1);
        (self.nodes_left > 0).then_some(())
    }

    fn fields(&mut self, entries: &[Entry], message: &mut DynamicMessage, path: &str) {
        let descriptor = message.descriptor();
        let mut seen = HashMap::new();
        let mut oneofs: Vec<(OneofDescriptor, &str)> = Vec::new();
        for entry in entries {
            if self.count(entry.at, path).is_none() {
                return;
            }
            let Some(field) = find_field(&descriptor, &entry.key) else {
                self.unknown_field(entry, &descriptor, path);
                continue;
            };
            let path = field_path(path, field.name());
            if matches!(entry.node.value, Value::Null) && !takes_null(&field) {
                continue;
            }
            if let Some(other) = seen.insert(field.number(), entry.key.as_str())
                && field.containing_oneof().is_none()
            {
                message.clear_field(&field);
                let message = format!("\"{}\" replaces \"{other}\", which is the same field", entry.key);
                self.report.add_at(Severity::Warning, entry.at, &path, message);
            }
            if let Some(oneof) = field.containing_oneof() {
                if let Some((_, other)) = oneofs.iter().find(|(seen, _)| *seen == oneof) {
                    let message = format!("\"{}\" and \"{other}\" exclude each other ({})", entry.key, oneof.name());
                    self.report.break_at(entry.at, &path, message);
                    continue;
                }
                oneofs.push((oneof, &entry.key));
            }
            self.place(&path, entry.at, entry.node.at);
            self.field(&field, &entry.node, message, &path);
        }
    }

    fn unknown_field(&mut self, entry: &Entry, descriptor: &MessageDescriptor, path: &str) {
        let mut message = format!("unknown field \"{}\" in {}", shown(&entry.key), descriptor.full_name());
        if entry.key == "<<" {
            message.push_str("; Envoy knows no merge keys");
        } else if let Some(name) = suggest(&entry.key, descriptor.fields().map(|field| field.name().to_owned())) {
            message = format!("{message}; did you mean \"{name}\"?");
        }
        self.report.break_at(entry.at, &field_path(path, &shown(&entry.key)), message);
    }

    fn field(&mut self, field: &FieldDescriptor, node: &Node, message: &mut DynamicMessage, path: &str) {
        if field.is_map() {
            self.map(field, node, message, path);
        } else if field.is_list() {
            let mut items = match message.take_field(field) {
                Some(Field::List(items)) => items,
                _ => Vec::new(),
            };
            self.items(field, node, &mut items, path);
            message.set_field(field, Field::List(items));
        } else if let Kind::Message(descriptor) = field.kind() {
            let old = message.has_field(field).then(|| message.take_field(field)).flatten();
            let base = match old {
                Some(Field::Message(old)) => old,
                _ => DynamicMessage::new(descriptor),
            };
            if let Some(value) = self.message(base, node, AnyUse::of(field), path) {
                message.set_field(field, Field::Message(value));
            }
        } else if let Some(value) = self.scalar(&field.kind(), node, path) {
            // As in a merge of messages: what cannot be told from unset does not replace anything.
            if field.supports_presence() || !value.is_default_for_field(field) {
                message.set_field(field, value);
            }
        }
    }

    fn items(&mut self, field: &FieldDescriptor, node: &Node, items: &mut Vec<Field>, path: &str) {
        if let Value::List(nodes) = &node.value
            && !is_list_value(&field.kind())
        {
            self.nested(node.at, path, |reader| {
                for node in nodes {
                    if reader.count(node.at, path).is_none() {
                        return;
                    }
                    reader.items(field, node, items, path);
                }
            });
            return;
        }
        let path = item_path(path, items.len());
        self.place(&path, node.at, node.at);
        if let Some(value) = self.element(&field.kind(), node, AnyUse::of(field), &path) {
            items.push(value);
        }
    }

    /// A value in a list or a map, where null is the type's default.
    fn element(&mut self, kind: &Kind, node: &Node, any_use: AnyUse, path: &str) -> Option<Field> {
        match kind {
            Kind::Message(descriptor) => {
                let base = DynamicMessage::new(descriptor.clone());
                if matches!(node.value, Value::Null) && descriptor.full_name() != "google.protobuf.Value" {
                    return Some(Field::Message(base));
                }
                self.message(base, node, any_use, path).map(Field::Message)
            }
            kind if matches!(node.value, Value::Null) => Some(Field::default_value(kind)),
            kind => self.scalar(kind, node, path),
        }
    }

    fn map(&mut self, field: &FieldDescriptor, node: &Node, message: &mut DynamicMessage, path: &str) {
        let (Value::Map(entries), Kind::Message(entry_type)) = (&node.value, field.kind()) else {
            let found = node.value.describe();
            self.report.break_at(node.at, path, format!("expected an object, found {found}"));
            return;
        };
        let mut map = match message.take_field(field) {
            Some(Field::Map(map)) => map,
            _ => HashMap::new(),
        };
        let value_field = entry_type.map_entry_value_field();
        self.nested(node.at, path, |reader| {
            for entry in entries {
                if reader.count(entry.at, path).is_none() {
                    return;
                }
                let path = key_path(path, &entry.key);
                reader.place(&path, entry.at, entry.node.at);
                let key_node = Node { value: Value::String(entry.key.clone()), at: entry.at };
                let key = reader.scalar(&entry_type.map_entry_key_field().kind(), &key_node, &path);
                let value = reader.element(&value_field.kind(), &entry.node, AnyUse::of(&value_field), &path);
                if let (Some(key), Some(value)) = (key.and_then(Field::into_map_key), value) {
                    map.insert(key, value);
                }
            }
        });
        message.set_field(field, Field::Map(map));
    }

    /// Reads a message over `base`.
    fn message(
        &mut self,
        mut base: DynamicMessage,
        node: &Node,
        any_use: AnyUse,
        path: &str,
    ) -> Option<DynamicMessage> {
        let descriptor = base.descriptor();
        if descriptor.full_name() == "google.protobuf.Any" {
            return self.any(base, node, any_use, path);
        }
        if let Some(result) = self.well_known(&descriptor, node, path) {
            return result;
        }
        let Value::Map(entries) = &node.value else {
            let message = format!("expected an object ({}), found {}", descriptor.full_name(), node.value.describe());
            self.report.break_at(node.at, path, message);
            return None;
        };
        self.nested(node.at, path, |reader| reader.fields(entries, &mut base, path))?;
        Some(base)
    }
}

fn find_field(descriptor: &MessageDescriptor, key: &str) -> Option<FieldDescriptor> {
    descriptor.get_field_by_name(key).or_else(|| descriptor.get_field_by_json_name(key))
}

/// Null is a value of these, and unset for all others.
fn takes_null(field: &FieldDescriptor) -> bool {
    !field.is_list() && matches!(field.kind(), Kind::Message(message) if message.full_name() == "google.protobuf.Value")
}

fn is_list_value(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message) if matches!(message.full_name(), "google.protobuf.Value" | "google.protobuf.ListValue"))
}

/// Turns what was odd about a text into warnings.
pub(crate) fn remarks(report: &mut Report, remarks: Vec<Remark>) {
    for Remark { at, message } in remarks {
        report.add_at(Severity::Warning, at, "", message);
    }
}
