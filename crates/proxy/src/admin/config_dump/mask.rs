//! Field masks: paths, separated by commas, of what is to stay.

use serde_json::{Map, Value};

use super::TYPE;

/// What the mask leaves of a message; `None` if one of its paths begins with a field that the message does not have.
/// Types of packed messages stay. A path ends at a list: all of it stays.
pub(super) fn apply(mask: &str, message: &Value, has_field: impl Fn(&str) -> bool) -> Option<Value> {
    let mut kept = Map::new();
    for path in mask.split(',') {
        let (first, _) = path.split_once('.').unwrap_or((path, ""));
        if !has_field(first) {
            return None;
        }
        keep(message, path, &mut kept);
    }
    Some(Value::Object(kept))
}

fn keep(from: &Value, path: &str, into: &mut Map<String, Value>) {
    if let Some(name) = from.get(TYPE) {
        into.entry(TYPE).or_insert_with(|| name.clone());
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let Some(value) = from.get(first) else { return };
    if rest.is_empty() || !value.is_object() {
        into.insert(first.to_owned(), value.clone());
    } else if let Value::Object(inner) = into.entry(first).or_insert_with(|| Value::Object(Map::new())) {
        keep(value, rest, inner);
    }
}
