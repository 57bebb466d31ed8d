//! `Any`: a message of the type that `@type` names.

use prost_reflect::{DynamicMessage, MessageDescriptor, Value as Field};

use super::{AnyUse, Reader};
use crate::{
    diagnostics::Severity,
    node::{Entry, Mark, Node, Value},
    report::field_path,
    schema::wire,
    suggest::{shown, suggest},
};

/// Messages that stand for another one, whose fields they have in a `Struct`.
pub(crate) const TYPED_STRUCTS: [&str; 2] = ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"];

/// What is named by a type URL.
enum Named {
    /// A message of the schema.
    Here(MessageDescriptor),
    /// A message that Envoy has and this program does not read.
    Elsewhere,
}

// === impl Reader ===

impl Reader<'_> {
    /// Reads an `Any` over `base`, which keeps its type if this one has none. A `TypedStruct` becomes what it stands for.
    pub(super) fn any(
        &mut self,
        mut base: DynamicMessage,
        node: &Node,
        any_use: AnyUse,
        path: &str,
    ) -> Option<DynamicMessage> {
        let Value::Map(entries) = &node.value else {
            let message = format!("expected an object with \"@type\", found {}", node.value.describe());
            self.report.break_at(node.at, path, message);
            return None;
        };
        let Some(url) = entries.iter().find(|entry| entry.key == "@type") else {
            if entries.is_empty() {
                return Some(base);
            }
            self.report.break_at(node.at, path, "\"@type\" is missing: it says which message this is");
            return None;
        };
        let Value::String(type_url) = &url.node.value else {
            let message = format!("expected a string, found {}", url.node.value.describe());
            self.report.break_at(url.node.at, &field_path(path, "@type"), message);
            return None;
        };
        let rest: Vec<&Entry> = entries.iter().filter(|entry| entry.key != "@type").collect();
        let (type_url, value) = match self.named(type_url, true, url.node.at, path)? {
            Named::Elsewhere => (type_url.clone(), Vec::new()),
            Named::Here(descriptor) => {
                if any_use == AnyUse::Extension && TYPED_STRUCTS.contains(&descriptor.full_name()) {
                    self.typed_struct(&descriptor, &rest, node, path)?
                } else {
                    let message = self.content(descriptor, &rest, node, path)?;
                    let bytes = wire::encode(&message);
                    self.unpacked.insert(path.to_owned(), message);
                    (type_url.clone(), bytes)
                }
            }
        };
        base.set_field_by_name("type_url", Field::String(type_url));
        base.set_field_by_name("value", Field::Bytes(value.into()));
        Some(base)
    }

    fn named(&mut self, type_url: &str, prefix: bool, at: Mark, path: &str) -> Option<Named> {
        let (host, name) = type_url.rsplit_once('/').unwrap_or(("", type_url));
        if prefix && host.is_empty() {
            let message = format!("@type must be a name with a host, such as type.googleapis.com/{}", shown(name));
            self.report.break_at(at, path, message);
            return None;
        }
        if let Some(descriptor) = self.schema.message(name) {
            return Some(Named::Here(descriptor));
        }
        if self.schema.is_other(name) {
            return Some(Named::Elsewhere);
        }
        let mut message = format!("unknown type \"{}\"", shown(name));
        self.suggestions_left = self.suggestions_left.saturating_sub(1);
        if self.suggestions_left > 0
            && let Some(name) = suggest(name, self.schema.all_names())
        {
            message.push_str(&format!("; did you mean \"{name}\"?"));
        }
        self.report.break_at(at, path, message);
        None
    }

    /// The message in an `Any`: its fields beside `@type`, or for a well-known one its `value`.
    fn content(
        &mut self,
        descriptor: MessageDescriptor,
        rest: &[&Entry],
        node: &Node,
        path: &str,
    ) -> Option<DynamicMessage> {
        let mut message = DynamicMessage::new(descriptor.clone());
        if !Self::is_special(&descriptor) {
            // Entries are few here, and shared nodes are cheap to mention again.
            let entries: Vec<Entry> = rest.iter().map(|entry| (*entry).again()).collect();
            self.nested(node.at, path, |reader| reader.fields(&entries, &mut message, path))?;
            return Some(message);
        }
        let mut result = message;
        for entry in rest {
            let path = Self::special_path(path);
            if entry.key != "value" {
                let message =
                    format!("unknown field \"{}\": {} has only \"value\"", shown(&entry.key), descriptor.full_name());
                self.report.add_at(Severity::Error, entry.at, &path, message);
            } else if !matches!(entry.node.value, Value::Null) || descriptor.full_name() == "google.protobuf.Value" {
                self.report.place(&path, entry.at, entry.node.at);
                result = self.message(result, &entry.node, AnyUse::Extension, &path)?;
            }
        }
        Some(result)
    }

    /// Reads the fields of a `TypedStruct` that came without a text.
    pub(crate) fn typed_struct_at(&mut self, entries: &[Entry], path: &str) -> Option<(String, Vec<u8>)> {
        let descriptor = self.schema.message("xds.type.v3.TypedStruct")?;
        let node = Node { value: Value::Null, at: Mark::default() };
        self.typed_struct(&descriptor, &entries.iter().collect::<Vec<_>>(), &node, path)
    }

    /// Reads the `value` of a `TypedStruct` as a message of its `type_url`.
    fn typed_struct(
        &mut self,
        descriptor: &MessageDescriptor,
        rest: &[&Entry],
        node: &Node,
        path: &str,
    ) -> Option<(String, Vec<u8>)> {
        let mut target = None;
        let mut value = None;
        for entry in rest {
            match entry.key.as_str() {
                "type_url" | "typeUrl" => match &entry.node.value {
                    Value::String(url) if !url.is_empty() => target = Some((url.clone(), entry.node.at)),
                    Value::Null => {}
                    _ => {
                        let message = "expected the type that the value has, such as type.googleapis.com/…";
                        self.report.break_at(entry.node.at, &field_path(path, "type_url"), message);
                        return None;
                    }
                },
                "value" => value = Some(entry),
                _ => self.unknown_field(entry, descriptor, path),
            }
        }
        let Some((type_url, at)) = target else {
            self.report.break_at(node.at, path, "\"type_url\" is missing: it says which message the value is");
            return None;
        };
        let target = match self.named(&type_url, false, at, path)? {
            Named::Elsewhere => return Some((type_url, Vec::new())),
            Named::Here(target) => target,
        };
        if TYPED_STRUCTS.contains(&target.full_name()) {
            self.report.break_at(at, path, "a TypedStruct in a TypedStruct is not unpacked");
            return None;
        }
        let mut message = DynamicMessage::new(target);
        if let Some(entry) = value {
            // What is inside stands for the whole, so its paths do without `value`.
            match &entry.node.value {
                Value::Null => {}
                Value::Map(entries) => {
                    self.nested(entry.node.at, path, |reader| reader.fields(entries, &mut message, path))?
                }
                other => {
                    let message = format!("expected an object, found {}", other.describe());
                    self.report.break_at(entry.node.at, &field_path(path, "value"), message);
                    return None;
                }
            }
        }
        let host = if type_url.contains('/') { "" } else { "type.googleapis.com/" };
        let bytes = wire::encode(&message);
        self.unpacked.insert(path.to_owned(), message);
        Some((format!("{host}{type_url}"), bytes))
    }
}
