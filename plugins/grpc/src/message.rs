//! One protobuf message.

/// Field 15, a varint.
const NUMBER: u8 = 15 << 3;

/// The message with its field 1 in upper case and its number behind; nothing if it is no protobuf.
pub fn rewrite(message: &[u8], number: u64) -> Option<Vec<u8>> {
    let mut new = message.to_vec();
    let mut at = 0;
    while at < new.len() {
        let tag = varint(&new, &mut at)?;
        let length = match tag & 7 {
            0 => {
                varint(&new, &mut at)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&new, &mut at)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let field = new.get_mut(at..at.checked_add(length)?)?;
        if tag == (1 << 3 | 2) {
            field.make_ascii_uppercase();
        }
        at += length;
    }
    new.push(NUMBER);
    let mut rest = number;
    while rest > 0x7f {
        new.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    new.push(rest as u8);
    Some(new)
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
