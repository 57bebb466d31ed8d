//! Rules for strings and bytes.

use prost_reflect::{DynamicMessage, Value};

use super::Broken;

/// Checks a string.
pub(super) fn text(rules: &DynamicMessage, text: &str) -> Broken {
    let mut broken = Broken::new();
    if text.is_empty() && flag(rules, "ignore_empty") == Some(true) {
        return broken;
    }
    let mut check = |holds: bool, message: String| {
        if !holds {
            broken.push(message);
        }
    };
    let chars = text.chars().count();
    for (rule, value) in rules.fields() {
        match (rule.name(), value) {
            ("min_len", limit) => {
                check(at_least(chars, limit), format!("value length must be at least {} characters", show(limit)))
            }
            ("max_len", limit) => {
                check(at_most(chars, limit), format!("value length must be at most {} characters", show(limit)))
            }
            ("min_bytes", limit) => {
                check(at_least(text.len(), limit), format!("value length must be at least {} bytes", show(limit)));
            }
            ("max_bytes", limit) => {
                check(at_most(text.len(), limit), format!("value length must be at most {} bytes", show(limit)))
            }
            ("const", Value::String(wanted)) => check(text == wanted, format!("value must equal \"{wanted}\"")),
            ("prefix", Value::String(wanted)) => {
                check(text.starts_with(wanted), format!("value must begin with \"{wanted}\""))
            }
            ("suffix", Value::String(wanted)) => {
                check(text.ends_with(wanted), format!("value must end with \"{wanted}\""))
            }
            ("contains", Value::String(wanted)) => {
                check(text.contains(wanted), format!("value must contain \"{wanted}\""))
            }
            ("in", Value::List(allowed)) => {
                check(
                    allowed.iter().any(|allowed| allowed.as_str() == Some(text)),
                    "value is not in the list of allowed ones".to_owned(),
                );
            }
            ("not_in", Value::List(banned)) => {
                check(
                    !banned.iter().any(|banned| banned.as_str() == Some(text)),
                    "value is in the list of banned ones".to_owned(),
                );
            }
            ("pattern", Value::String(pattern)) => {
                let matches = regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text));
                check(matches, format!("value does not match regex pattern \"{pattern}\""));
            }
            ("well_known_regex", Value::EnumNumber(which)) => {
                // Unset reads as the default, and that is strict.
                let strict = flag(rules, "strict") != Some(false);
                match which {
                    1 => check(is_header_name(text, strict), "value is not a header name".to_owned()),
                    2 => check(is_header_value(text, strict), "value is not a header value".to_owned()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    broken
}

/// Checks bytes.
pub(super) fn bytes(rules: &DynamicMessage, bytes: &[u8]) -> Broken {
    let mut broken = Broken::new();
    for (rule, limit) in rules.fields() {
        match rule.name() {
            "min_len" if !at_least(bytes.len(), limit) => {
                broken.push(format!("value length must be at least {} bytes", show(limit)));
            }
            "max_len" if !at_most(bytes.len(), limit) => {
                broken.push(format!("value length must be at most {} bytes", show(limit)));
            }
            _ => {}
        }
    }
    broken
}

fn flag(rules: &DynamicMessage, name: &str) -> Option<bool> {
    rules.get_field_by_name(name)?.as_bool()
}

fn show(limit: &Value) -> u64 {
    limit.as_u64().unwrap_or_default()
}

fn at_least(length: usize, limit: &Value) -> bool {
    u64::try_from(length).is_ok_and(|length| length >= show(limit))
}

fn at_most(length: usize, limit: &Value) -> bool {
    u64::try_from(length).is_ok_and(|length| length <= show(limit))
}

/// A token that may begin with a colon; if not strict, anything without NUL and line ends.
fn is_header_name(text: &str, strict: bool) -> bool {
    if !strict {
        return !text.contains(['\0', '\n', '\r']);
    }
    let token = text.strip_prefix(':').unwrap_or(text);
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_|~`".contains(&b))
}

/// No control characters but the tab; if not strict, anything without NUL and line ends.
fn is_header_value(text: &str, strict: bool) -> bool {
    if !strict {
        return !text.contains(['\0', '\n', '\r']);
    }
    !text.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f)
}
