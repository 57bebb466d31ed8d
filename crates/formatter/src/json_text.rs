//! JSON as Envoy writes it.

use std::io::Write as _;

use prost_types::Value;
use prost_types::value::Kind;

/// Appends a value; keys in order.
pub(crate) fn value(value: &Value, out: &mut Vec<u8>) {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => out.extend_from_slice(b"null"),
        Some(Kind::BoolValue(truth)) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Some(Kind::NumberValue(number)) => self::number(*number, out),
        Some(Kind::StringValue(text)) => string(text.as_bytes(), out),
        Some(Kind::StructValue(fields)) => {
            out.push(b'{');
            for (index, (key, value)) in fields.fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                string(key.as_bytes(), out);
                out.push(b':');
                self::value(value, out);
            }
            out.push(b'}');
        }
        Some(Kind::ListValue(list)) => {
            out.push(b'[');
            for (index, value) in list.values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                self::value(value, out);
            }
            out.push(b']');
        }
    }
}

/// Appends a number: whole ones without a fraction.
pub(crate) fn number(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{number}");
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Appends a string with its quotes.
pub(crate) fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends what stands between the quotes. In a text that is not UTF-8 every byte that is not plain is written as the
/// number it is.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    if text.iter().all(|byte| is_plain(*byte)) {
        out.extend_from_slice(text);
        return;
    }
    let Ok(valid) = std::str::from_utf8(text) else {
        for byte in text {
            if is_plain(*byte) {
                out.push(*byte);
            } else {
                // Writing to a vector cannot fail.
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        return;
    };
    for character in valid.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// ASCII that needs no escape.
fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
}
