//! Which bytes names and values may have on HTTP/2, as Envoy 1.40 (nghttp2) has it.

/// What may stand where, a bit each.
const NAME: u8 = 1;
const METHOD: u8 = 2;
const VALUE: u8 = 4;
const AUTHORITY: u8 = 8;
const PATH: u8 = 16;
const SCHEME: u8 = 32;

static BYTES: [u8; 256] = table();

#[allow(clippy::indexing_slicing, reason = "computed while the program is compiled")]
const fn table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let mut bits = 0;
        let alphanumeric = byte.is_ascii_alphanumeric();
        if alphanumeric || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~') {
            bits |= METHOD | if byte.is_ascii_uppercase() { 0 } else { NAME };
        }
        if byte == b'\t' || byte >= b' ' && byte != 0x7f {
            bits |= VALUE;
        }
        // Envoy takes no user information.
        if alphanumeric || matches!(byte, b'!' | b'$'..=b'.' | b':' | b';' | b'=' | b'[' | b']' | b'_' | b'~') {
            bits |= AUTHORITY;
        }
        if byte > b' ' && byte != 0x7f {
            bits |= PATH;
        }
        if alphanumeric || matches!(byte, b'+' | b'-' | b'.') {
            bits |= SCHEME;
        }
        table[byte as usize] = bits;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

fn all(bytes: &[u8], bit: u8) -> bool {
    // Without early exit, so that it runs on many bytes at once.
    bytes.iter().fold(true, |all, byte| all & (BYTES[usize::from(*byte)] & bit != 0))
}

/// Whether this is the name of a field that is no pseudo-field.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && all(name, NAME)
}

pub(super) fn is_method(value: &[u8]) -> bool {
    !value.is_empty() && all(value, METHOD)
}

pub(super) fn is_scheme(value: &[u8]) -> bool {
    value.first().is_some_and(u8::is_ascii_alphabetic) && all(value, SCHEME)
}

pub(super) fn is_authority(value: &[u8]) -> bool {
    !value.is_empty() && all(value, AUTHORITY)
}

/// Whether these bytes may be a `:path`, which is no matter of where it begins.
pub(super) fn is_path(value: &[u8]) -> bool {
    !value.is_empty() && all(value, PATH)
}

/// Whether any field may have this value.
pub(super) fn is_value(value: &[u8]) -> bool {
    all(value, VALUE)
}

/// Whether the field speaks of a connection, which HTTP/2 forbids (RFC 9113 §8.2.2).
pub(super) fn is_of_connection(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => true,
        b"te" => !value.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    }
}

/// Whether the field may be sent: it is a pseudo-field that there is, or none that speaks of a connection.
pub(super) fn is_sent(name: &[u8], value: &[u8]) -> bool {
    match name {
        b":status" | b":method" | b":scheme" | b":path" | b":authority" | b":protocol" => true,
        b"te" => value == b"trailers",
        _ => name.first() != Some(&b':') && !is_of_connection(name, value),
    }
}

/// A `content-length`; nothing if it is none.
pub(super) fn content_length(value: &[u8]) -> Option<u64> {
    const MOST: u64 = i64::MAX as u64;
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into()).filter(|number| *number <= MOST)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_places() {
        assert!(is_name(b"x-a_b!~") && !is_name(b"X") && !is_name(b"") && !is_name(b"a:b") && !is_name(b"\xe9"));
        assert!(is_method(b"GET") && is_method(b"a|b") && !is_method(b"GE T") && !is_method(b""));
        assert!(is_scheme(b"ht+tp2") && !is_scheme(b"2http") && !is_scheme(b""));
        assert!(is_authority(b"[::1]:80") && !is_authority(b"a@b") && !is_authority(b"a/b") && !is_authority(b""));
        assert!(is_path(b"/<>^`\"\\{|}\xe9#") && !is_path(b"/ ") && !is_path(b"\x7f") && !is_path(b""));
        assert!(is_value(b" \t\xff") && is_value(b"") && !is_value(b"\0") && !is_value(b"\x7f"));
    }

    #[test]
    fn lengths_are_digits() {
        assert_eq!(content_length(b"0012"), Some(12));
        assert_eq!(content_length(b"9223372036854775807"), Some(i64::MAX as u64));
        for wrong in [&b""[..], b"+5", b"5 ", b"5,5", b"9223372036854775808", b"99999999999999999999999"] {
            assert_eq!(content_length(wrong), None);
        }
    }

    #[test]
    fn some_fields_are_of_connections() {
        assert!(is_of_connection(b"connection", b"") && is_of_connection(b"te", b"gzip"));
        assert!(!is_of_connection(b"te", b"Trailers") && !is_of_connection(b"x", b""));
    }
}
