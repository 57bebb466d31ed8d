//! Values of `otherName`, as Envoy 1.40 was observed to show them.

use x509_parser::asn1_rs::{Any, FromDer as _, Oid, Tag};

use super::distinguished_name::characters;

/// Longer numbers would take long to write in decimal; nobody uses them.
const LONGEST_NUMBER: usize = 256;

/// The value of a name: text as it is, numbers in decimal, other bytes as they are. `explicit` is `[0] EXPLICIT value`.
pub(super) fn other_name(explicit: &[u8]) -> Option<String> {
    let (_, wrapper) = Any::from_der(explicit).ok()?;
    let (behind, value) = Any::from_der(wrapper.data).ok()?;
    if let Some(text) = characters(&value) {
        return Some(text);
    }
    let bytes = value.data;
    let raw = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(match value.tag() {
        Tag::Null => String::new(),
        Tag::Boolean => (if bytes.iter().any(|byte| *byte != 0) { "true" } else { "false" }).to_owned(),
        Tag::Integer | Tag::Enumerated if bytes.len() <= LONGEST_NUMBER => decimal(bytes),
        Tag::Oid => Oid::try_from(value).ok()?.to_id_string(),
        // The first byte says how many bits of the last one do not count.
        Tag::BitString => raw(bytes.get(1..)?),
        Tag::OctetString => raw(bytes),
        _ => raw(wrapper.data.get(..wrapper.data.len() - behind.len())?),
    })
}

/// A number in two's complement, of any length.
fn decimal(bytes: &[u8]) -> String {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    // Digits in base ten, the lowest first.
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u32::from(if negative { !byte } else { *byte });
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            *digit = u8::try_from(carry % 10).unwrap_or_default();
            carry /= 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    if negative {
        // -(!x) - 1 is x.
        for digit in &mut digits {
            *digit = (*digit + 1) % 10;
            if *digit != 0 {
                break;
            }
        }
        if digits.iter().all(|digit| *digit == 0) {
            digits.push(1);
        }
    }
    let sign = if negative { "-" } else { "" };
    let text = digits.iter().rev().filter_map(|digit| char::from_digit((*digit).into(), 10));
    sign.chars().chain(text).collect()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_of_any_length() {
        assert_eq!(decimal(&[0xb3]), "-77");
        assert_eq!(decimal(&[5]), "5");
        assert_eq!(decimal(&[0]), "0");
        assert_eq!(decimal(&[0xff]), "-1");
        assert_eq!(decimal(&[0xff, 0x00]), "-256");
        assert_eq!(decimal(&[0x9c]), "-100");
        assert_eq!(decimal(&[0x15, 0x2d, 0x02, 0xc7, 0xe1, 0x4a, 0xf6, 0x7f, 0xff, 0xff]), "99999999999999999999999");
    }
}
