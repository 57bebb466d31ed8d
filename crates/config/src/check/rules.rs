//! The rules of `validate.proto` that Envoy's schema sets, read from the descriptors' options.
//!
//! A rule that nobody here knows is an error, rather than a rule that holds: the test of the schema sees that there is none.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use super::{Checker, text};
use crate::report::{item_path, key_path};

mod number;
mod string;

/// What a value breaks, in words.
type Broken = Vec<String>;

// === impl Checker ===

impl Checker<'_> {
    /// Checks a field that is set, or one that is not.
    pub(super) fn rules(&mut self, rules: &DynamicMessage, field: &FieldDescriptor, value: Option<&Value>, path: &str) {
        let Some(value) = value else {
            // Of the members of a oneof only the one that is set has rules to keep.
            if field.containing_oneof().is_some() {
                return;
            }
            let required = ["message", "any", "duration", "timestamp"].iter().any(|name| {
                let rules = rules.get_field_by_name(name);
                let required =
                    rules.as_deref().and_then(Value::as_message).and_then(|rules| rules.get_field_by_name("required"));
                required.is_some_and(|required| required.as_bool() == Some(true))
            });
            if required {
                self.break_rule(path, vec!["value is required".to_owned()]);
            }
            // Other messages, wrappers too, need not be there; a plain field that is unset has its default, which may break a rule.
            if !field.supports_presence() {
                self.value_rules(rules, &Value::default_value_for_field(field), &field.kind(), path);
            }
            return;
        };
        self.value_rules(rules, value, &field.kind(), path);
    }

    fn break_rule(&mut self, path: &str, broken: Broken) {
        if broken.is_empty() || self.report.is_broken(path) {
            return;
        }
        let name = path.rsplit('.').next().unwrap_or(path).to_owned();
        for message in broken {
            self.report.error(path, format!("{name}: {message}"));
        }
    }

    fn value_rules(&mut self, rules: &DynamicMessage, value: &Value, kind: &Kind, path: &str) {
        for (rule, content) in rules.fields() {
            let Some(content) = content.as_message() else { continue };
            match (rule.name(), value) {
                ("repeated", Value::List(items)) => self.repeated(content, items, kind, path),
                ("map", Value::Map(entries)) => {
                    let message = "value must contain at least";
                    let mut broken = Broken::new();
                    count_rule(content, "min_pairs", |min| entries.len() < min, message, "pair(s)", &mut broken);
                    self.break_rule(path, broken);
                    let inner = |name: &str| Some(content.get_field_by_name(name)?.as_message()?.clone());
                    let (key_rules, value_rules) = (inner("keys"), inner("values"));
                    let Some(entry) = kind.as_message() else { continue };
                    for (key, value) in entries {
                        let path = key_path(path, &text::map_key(key));
                        if let Some(rules) = &key_rules {
                            let kind = entry.map_entry_key_field().kind();
                            self.value_rules(rules, &Value::from(key.clone()), &kind, &path);
                        }
                        if let Some(rules) = &value_rules {
                            self.value_rules(rules, value, &entry.map_entry_value_field().kind(), &path);
                        }
                    }
                }
                (name, value) => {
                    let broken = scalar(name, content, value, kind);
                    self.break_rule(path, broken);
                }
            }
        }
    }

    fn repeated(&mut self, rules: &DynamicMessage, items: &[Value], kind: &Kind, path: &str) {
        let mut broken = Broken::new();
        count_rule(rules, "min_items", |min| items.len() < min, "value must contain at least", "item(s)", &mut broken);
        count_rule(
            rules,
            "max_items",
            |max| items.len() > max,
            "value must contain no more than",
            "item(s)",
            &mut broken,
        );
        if rules.get_field_by_name("unique").is_some_and(|unique| unique.as_bool() == Some(true)) {
            let repeats =
                items.iter().enumerate().any(|(index, item)| items.iter().take(index).any(|other| other == item));
            if repeats {
                broken.push("repeated value must contain unique items".to_owned());
            }
        }
        self.break_rule(path, broken);
        let Some(item_rules) = rules.get_field_by_name("items").and_then(|rules| Some(rules.as_message()?.clone()))
        else {
            return;
        };
        for (index, item) in items.iter().enumerate() {
            self.value_rules(&item_rules, item, kind, &item_path(path, index));
        }
    }
}

fn count_rule(
    rules: &DynamicMessage,
    name: &str,
    breaks: impl Fn(usize) -> bool,
    words: &str,
    unit: &str,
    broken: &mut Broken,
) {
    let field = rules.descriptor().get_field_by_name(name).filter(|field| rules.has_field(field));
    let Some(limit) = field.and_then(|field| rules.get_field(&field).as_u64()) else { return };
    if breaks(usize::try_from(limit).unwrap_or(usize::MAX)) {
        broken.push(format!("{words} {limit} {unit}"));
    }
}

/// Rules for one value; those of a wrapper are about what it wraps.
fn scalar(name: &str, rules: &DynamicMessage, value: &Value, kind: &Kind) -> Broken {
    if let Value::Message(message) = value {
        return match name {
            // Whether a message is there was checked, and what is in it is checked with it.
            "message" | "any" => Broken::new(),
            "duration" => {
                let nanos = |value: &Value| Some(text::nanos(value.as_message()?));
                number::check(rules, text::nanos(message), nanos, |value| text::duration(*value))
            }
            _ => match message.descriptor().get_field_by_name("value") {
                Some(inner) => scalar(name, rules, &message.get_field(&inner), &inner.kind()),
                None => Broken::new(),
            },
        };
    }
    match (name, value) {
        ("string", Value::String(text)) => string::text(rules, text),
        ("bytes", Value::Bytes(bytes)) => string::bytes(rules, bytes),
        ("bool", Value::Bool(value)) => {
            let wanted = rules.get_field_by_name("const").filter(|_| rules.has_field_by_name("const"));
            match wanted.and_then(|wanted| wanted.as_bool()) {
                Some(wanted) if wanted != *value => vec![format!("value must equal {wanted}")],
                _ => Broken::new(),
            }
        }
        ("enum", Value::EnumNumber(number)) => enumeration(rules, *number, kind),
        ("float" | "double", value) => {
            let float = |value: &Value| value.as_f64().or_else(|| value.as_f32().map(f64::from));
            match float(value) {
                Some(number) => number::check(rules, number, float, f64::to_string),
                None => Broken::new(),
            }
        }
        (_, value) => match text::integer(value) {
            Some(number) => number::check(rules, number, text::integer, i128::to_string),
            None => Broken::new(),
        },
    }
}

fn enumeration(rules: &DynamicMessage, number: i32, kind: &Kind) -> Broken {
    let mut broken = Broken::new();
    let defined = rules.get_field_by_name("defined_only").is_some_and(|value| value.as_bool() == Some(true));
    if defined && kind.as_enum().is_some_and(|kind| kind.get_value(number).is_none()) {
        broken.push("value must be one of the defined enum values".to_owned());
    }
    let listed = |name: &str| {
        let values = rules.get_field_by_name(name);
        let values = values.as_deref().and_then(Value::as_list).unwrap_or_default();
        (!values.is_empty()).then(|| values.iter().any(|value| text::integer(value) == Some(number.into())))
    };
    if listed("in") == Some(false) {
        broken.push("value is not in the list of allowed ones".to_owned());
    }
    if listed("not_in") == Some(true) {
        let name = kind.as_enum().and_then(|kind| Some(kind.get_value(number)?.name().to_owned())).unwrap_or_default();
        broken.push(format!("value must not be {name}"));
    }
    broken
}
