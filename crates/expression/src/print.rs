//! Values as `%CEL%` of access logs shows them.

use prost_reflect::{DynamicMessage, Kind, Value as Field};

use crate::{Value, text, time};

pub(crate) fn print(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => b"NULL".to_vec(),
        Value::Bool(value) => value.to_string().into_bytes(),
        Value::Int(value) => value.to_string().into_bytes(),
        Value::UInt(value) => value.to_string().into_bytes(),
        Value::Double(value) => text::short_double(*value).into_bytes(),
        Value::String(value) | Value::Bytes(value) => value.to_vec(),
        Value::Duration(value) => duration(*value).into_bytes(),
        Value::Timestamp(value) => {
            // Where RFC 3339 has `Z`.
            let text = time::timestamp_text(*value);
            format!("{}+00:00", text.trim_end_matches('Z')).into_bytes()
        }
        Value::Message(message) => {
            let mut out = Vec::new();
            fields(message, &mut out);
            out
        }
        Value::List(_) => b"CelList value".to_vec(),
        Value::Map(_) | Value::Attributes(_) => b"CelMap value".to_vec(),
        Value::Type(_) => b"CelType value".to_vec(),
    }
}

/// The fields of a message on one line, a space behind each, as Protobuf's short text format has them.
fn fields(message: &DynamicMessage, out: &mut Vec<u8>) {
    for (field, value) in message.fields() {
        let mut put = |value: &Field| {
            out.extend_from_slice(field.name().as_bytes());
            single(value, field.kind(), out);
            out.push(b' ');
        };
        match value {
            Field::List(list) => list.iter().for_each(put),
            Field::Map(map) => {
                let Kind::Message(entry) = field.kind() else { continue };
                for (key, value) in map {
                    let mut pair = DynamicMessage::new(entry.clone());
                    pair.set_field_by_number(1, key.clone().into());
                    pair.set_field_by_number(2, value.clone());
                    put(&Field::Message(pair));
                }
            }
            value => put(value),
        }
    }
}

fn single(value: &Field, kind: Kind, out: &mut Vec<u8>) {
    let scalar = match value {
        Field::Message(message) => {
            out.extend_from_slice(b" { ");
            fields(message, out);
            out.push(b'}');
            return;
        }
        Field::String(text) => quoted(text.as_bytes()),
        Field::Bytes(bytes) => quoted(bytes),
        Field::Bool(value) => value.to_string(),
        Field::I32(value) => value.to_string(),
        Field::I64(value) => value.to_string(),
        Field::U32(value) => value.to_string(),
        Field::U64(value) => value.to_string(),
        Field::F32(value) => value.to_string(),
        Field::F64(value) => value.to_string(),
        Field::EnumNumber(number) => match kind {
            Kind::Enum(descriptor) => {
                descriptor.get_value(*number).map_or_else(|| number.to_string(), |value| value.name().to_owned())
            }
            _ => number.to_string(),
        },
        Field::List(_) | Field::Map(_) => return,
    };
    out.extend_from_slice(b": ");
    out.extend_from_slice(scalar.as_bytes());
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\'' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}

/// As Abseil writes durations: `1h2m3.5s`, `1.5ms`, `0`.
fn duration(value: i128) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let value = value.unsigned_abs();
    let decimals = |value: u128, unit: u128, name: &str| {
        let digits = unit.ilog10() as usize;
        let fraction = format!("{:0digits$}", value % unit);
        let fraction = fraction.trim_end_matches('0');
        let whole = value / unit;
        if unit == 1 || fraction.is_empty() { format!("{whole}{name}") } else { format!("{whole}.{fraction}{name}") }
    };
    let text = match value {
        0 => return "0".to_owned(),
        1..1_000 => decimals(value, 1, "ns"),
        1_000..1_000_000 => decimals(value, 1_000, "us"),
        1_000_000..1_000_000_000 => decimals(value, 1_000_000, "ms"),
        _ => {
            let (hours, rest) = (value / 3_600_000_000_000, value % 3_600_000_000_000);
            let (minutes, rest) = (rest / 60_000_000_000, rest % 60_000_000_000);
            let mut text = String::new();
            if hours > 0 {
                text.push_str(&format!("{hours}h"));
            }
            if minutes > 0 {
                text.push_str(&format!("{minutes}m"));
            }
            if rest > 0 {
                text.push_str(&decimals(rest, 1_000_000_000, "s"));
            }
            text
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_abseil_does() {
        let all = [0, 1, 1_500, 1_500_000, 1_500_000_000, 3_661_000_000_000, 7_200_000_000_000, -1];
        assert_eq!(all.map(duration), ["0", "1ns", "1.5us", "1.5ms", "1.5s", "1h1m1s", "2h", "-1ns"]);
    }
}
