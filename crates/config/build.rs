//! Generates Rust types for the parts of Envoy's schema that are implemented, and for nothing else.
//!
//! The schema is far larger than what the program reads. `schema/fields.txt` names the messages and fields that reach the model; the
//! descriptors are cut down to them here, so that the generated code is small and a field that is not declared cannot be used.

#[path = "src/schema/own.rs"]
mod own;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};

const SCHEMA: &str = "schema/envoy-1.40.fds";
const FIELDS: &str = "schema/fields.txt";

/// Implemented fields by message, and whether they are kept serialized.
type Fields = BTreeMap<String, BTreeMap<String, bool>>;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={SCHEMA}");
    println!("cargo::rerun-if-changed={FIELDS}");
    println!("cargo::rerun-if-changed=src/schema/own.rs");
    let fields = parse_fields(&fs::read_to_string(FIELDS)?);
    let mut set = FileDescriptorSet::decode(fs::read(SCHEMA)?.as_slice())?;
    set.file.push(own::file());
    let mut used = BTreeSet::new();
    // Well-known types have Rust types in `prost-types`; the generator only wants to see what is in them.
    let well_known = |package: &str| package == "google.protobuf";
    for file in set.file.iter_mut().filter(|file| !well_known(file.package())) {
        let scope = format!(".{}", file.package());
        prune_messages(&mut file.message_type, &scope, &fields, &mut used);
        file.service.clear();
        file.extension.clear();
        file.source_code_info = None;
    }
    for file in set.file.iter_mut().filter(|file| !well_known(file.package())) {
        let scope = format!(".{}", file.package());
        prune_enums(&mut file.enum_type, &scope, &used);
        prune_nested_enums(&mut file.message_type, &scope, &used);
    }
    set.file.retain(|file| !file.message_type.is_empty() || !file.enum_type.is_empty());
    check(&fields, &used, &set)?;
    // Maps in key order, so that equal messages have equal bytes.
    prost_build::Config::new().btree_map(["."]).include_file("envoy.rs").compile_fds(set)
}

fn parse_fields(text: &str) -> Fields {
    let mut fields = Fields::new();
    let mut message = String::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("message") => {
                message = format!(".{}", words.next().unwrap_or_default());
                fields.entry(message.clone()).or_default();
            }
            Some(word @ ("done" | "raw")) => {
                fields.entry(message.clone()).or_default().extend(words.map(|field| (field.to_owned(), word == "raw")));
            }
            _ => {}
        }
    }
    fields
}

/// Keeps the messages named in `fields`, with the fields named there, and the messages around them.
fn prune_messages(messages: &mut Vec<DescriptorProto>, scope: &str, fields: &Fields, used: &mut BTreeSet<String>) {
    messages.retain_mut(|message| {
        let name = format!("{scope}.{}", message.name());
        let known = fields.get(&name);
        message.field.retain(|field| known.is_some_and(|known| known.contains_key(field.name())));
        for field in &mut message.field {
            if known.and_then(|known| known.get(field.name())) == Some(&true) {
                // On the wire a message is its bytes.
                field.set_type(Type::Bytes);
                field.type_name = None;
                field.proto3_optional = Some(true);
            }
        }
        let entries: BTreeSet<_> = message.field.iter().map(|field| field.type_name().to_owned()).collect();
        used.extend(entries.iter().filter(|name| !name.is_empty()).cloned());
        prune_oneofs(message);
        message.nested_type.retain(|nested| {
            !nested.options.as_ref().is_some_and(|options| options.map_entry())
                || entries.contains(&format!("{name}.{}", nested.name()))
        });
        let (map_entries, mut nested): (Vec<_>, Vec<_>) = message
            .nested_type
            .drain(..)
            .partition(|nested| nested.options.as_ref().is_some_and(|options| options.map_entry()));
        prune_messages(&mut nested, &name, fields, used);
        for entry in &map_entries {
            used.extend(entry.field.iter().map(|field| field.type_name().to_owned()).filter(|name| !name.is_empty()));
        }
        let inside = !nested.is_empty() || !message.enum_type.is_empty();
        message.nested_type = map_entries;
        message.nested_type.extend(nested);
        message.options = None;
        for field in &mut message.field {
            field.options = None;
        }
        known.is_some() || inside
    });
}

/// Drops the oneofs that have lost all their fields, and renumbers the rest.
fn prune_oneofs(message: &mut DescriptorProto) {
    let kept: Vec<i32> = (0i32..)
        .take(message.oneof_decl.len())
        .filter(|index| message.field.iter().any(|field| field.oneof_index == Some(*index)))
        .collect();
    let mut index = 0;
    message.oneof_decl.retain(|_| {
        index += 1;
        kept.contains(&(index - 1))
    });
    for field in &mut message.field {
        if let Some(old) = field.oneof_index {
            field.oneof_index = (0i32..).zip(&kept).find(|(_, kept)| **kept == old).map(|(new, _)| new);
        }
    }
}

fn prune_enums(enums: &mut Vec<EnumDescriptorProto>, scope: &str, used: &BTreeSet<String>) {
    enums.retain(|item| used.contains(&format!("{scope}.{}", item.name())));
}

fn prune_nested_enums(messages: &mut Vec<DescriptorProto>, scope: &str, used: &BTreeSet<String>) {
    messages.retain_mut(|message| {
        let name = format!("{scope}.{}", message.name());
        prune_enums(&mut message.enum_type, &name, used);
        prune_nested_enums(&mut message.nested_type, &name, used);
        let named = used.contains(&name) || !message.field.is_empty();
        named || !message.nested_type.is_empty() || !message.enum_type.is_empty()
    });
}

/// Every message and field in the list exists, and every message that a field needs is in the list.
fn check(fields: &Fields, used: &BTreeSet<String>, set: &FileDescriptorSet) -> io::Result<()> {
    let mut problems = Vec::new();
    let mut messages = BTreeMap::new();
    let mut enums = BTreeSet::new();
    for file in &set.file {
        enums.extend(file.enum_type.iter().map(|item| format!(".{}.{}", file.package(), item.name())));
        for message in &file.message_type {
            collect(message, &format!(".{}", file.package()), &mut messages, &mut enums);
        }
    }
    for (name, wanted) in fields {
        let have = messages.get(name);
        for field in wanted.keys() {
            if !have.is_some_and(|have: &&DescriptorProto| have.field.iter().any(|item| item.name() == field)) {
                problems.push(format!("{FIELDS}: the schema has no {name}.{field}"));
            }
        }
    }
    for name in used {
        if !messages.contains_key(name) && !enums.contains(name) {
            problems.push(format!("{FIELDS}: {name} is needed and not listed"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(io::Error::other(problems.join("\n"))) }
}

fn collect<'a>(
    message: &'a DescriptorProto,
    scope: &str,
    messages: &mut BTreeMap<String, &'a DescriptorProto>,
    enums: &mut BTreeSet<String>,
) {
    let name = format!("{scope}.{}", message.name());
    enums.extend(message.enum_type.iter().map(|item| format!("{name}.{}", item.name())));
    for nested in &message.nested_type {
        collect(nested, &name, messages, enums);
    }
    debug_assert!(message.field.iter().all(|field| field.r#type() != Type::Group));
    messages.insert(name, message);
}
