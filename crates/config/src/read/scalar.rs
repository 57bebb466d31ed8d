//! Scalars: what Envoy takes for which type.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost_reflect::{EnumDescriptor, Kind, Value as Field};

use super::Reader;
use crate::{
    node::{Node, Value},
    suggest::{shown, suggest},
};

// === impl Reader ===

impl Reader<'_> {
    /// Reads a scalar; `None` and a finding if the node is none of that type.
    pub(super) fn scalar(&mut self, kind: &Kind, node: &Node, path: &str) -> Option<Field> {
        let result = match kind {
            Kind::Bool => boolean(node).map(Field::Bool),
            Kind::String => string(node).map(Field::String),
            Kind::Bytes => bytes(node).map(|bytes| Field::Bytes(bytes.into())),
            Kind::Double => float(node).map(Field::F64),
            #[expect(clippy::cast_possible_truncation, reason = "a float field holds what a float can")]
            Kind::Float => float(node).map(|value| Field::F32(value as f32)),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer(node).map(Field::I32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer(node).map(Field::I64),
            Kind::Uint32 | Kind::Fixed32 => integer(node).map(Field::U32),
            Kind::Uint64 | Kind::Fixed64 => integer(node).map(Field::U64),
            Kind::Enum(descriptor) => enumeration(descriptor, node).map(Field::EnumNumber),
            Kind::Message(_) => Err("a message is no scalar".to_owned()),
        };
        result.map_err(|message| self.report.break_at(node.at, path, message)).ok()
    }
}

fn expected(what: &str, node: &Node) -> String {
    format!("expected {what}, found {}", node.value.describe())
}

fn boolean(node: &Node) -> Result<bool, String> {
    match &node.value {
        Value::Bool(value) => Ok(*value),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "0" => Ok(false),
            _ => Err(format!("expected true or false, found \"{}\"", shown(text))),
        },
        _ => Err(expected("true or false", node)),
    }
}

fn string(node: &Node) -> Result<String, String> {
    match &node.value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            Err(format!("{}: put it in quotes", expected("a string", node)))
        }
        _ => Err(expected("a string", node)),
    }
}

fn bytes(node: &Node) -> Result<Vec<u8>, String> {
    let text = string(node).map_err(|_| expected("a string in base64", node))?;
    // Either alphabet, even mixed.
    let text = text.replace('-', "+").replace('_', "/");
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config).decode(text).map_err(|error| format!("not base64: {error}"))
}

fn float(node: &Node) -> Result<f64, String> {
    match &node.value {
        #[expect(clippy::cast_precision_loss, reason = "a float field holds what a float can")]
        Value::Int(value) => Ok(*value as f64),
        Value::Float(value) => Ok(*value),
        Value::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text if is_number(text) => text.parse().map_err(|_| expected("a number", node)),
            _ => Err(expected("a number", node)),
        },
        _ => Err(expected("a number", node)),
    }
}

/// A whole number in any of Envoy's spellings: `8080`, `"8080"`, `8080.0`, `8.08e3`, `"+8080"`, `"0x1f90"`.
fn integer<T: TryFrom<i128>>(node: &Node) -> Result<T, String> {
    let value = match &node.value {
        Value::Int(value) => Some(*value),
        Value::Float(value) => whole(*value),
        Value::String(text) => quoted_integer(text),
        _ => return Err(expected("a whole number", node)),
    };
    let value = value.ok_or_else(|| format!("{} that is not one", expected("a whole number", node)))?;
    T::try_from(value).map_err(|_| format!("{value} is out of range"))
}

fn quoted_integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let value = match hex {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => i128::from_str_radix(hex, 16).ok()?,
        _ if is_number(digits) => digits.parse().ok().or_else(|| whole(digits.parse().ok()?))?,
        _ => return None,
    };
    if negative { value.checked_neg() } else { Some(value) }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and of 64 bits")]
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() <= 18_446_744_073_709_551_616.0).then_some(value as i128)
}

/// Digits, a point, an exponent; no spaces, no words.
fn is_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && !text.starts_with(['e', 'E'])
}

fn enumeration(descriptor: &EnumDescriptor, node: &Node) -> Result<i32, String> {
    let Value::String(text) = &node.value else {
        return match &node.value {
            Value::Int(_) | Value::Float(_) => integer(node),
            _ => Err(expected(&format!("a value of {}", descriptor.full_name()), node)),
        };
    };
    if let Some(value) = descriptor.values().find(|value| value.name().eq_ignore_ascii_case(text)) {
        return Ok(value.number());
    }
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let mut message = format!("unknown value \"{}\" of {}", shown(text), descriptor.full_name());
    let names: Vec<_> = descriptor.values().map(|value| value.name().to_owned()).collect();
    match suggest(text, names.iter().cloned()) {
        Some(name) => message.push_str(&format!("; did you mean \"{name}\"?")),
        None if names.len() <= 8 => message.push_str(&format!("; it has {}", names.join(", "))),
        None => {}
    }
    Err(message)
}
