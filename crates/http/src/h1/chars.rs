//! Which bytes may stand where in a head.

/// For each byte its lower case if it may stand in a header name (RFC 9110 `tchar`), else 0.
static NAME: [u8; 256] = name_table();

const fn name_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// Lower case of a byte of a header name; 0 if it may not stand there.
pub(super) fn lower_name_byte(byte: u8) -> u8 {
    NAME[usize::from(byte)]
}

/// Whether this is a header name.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| lower_name_byte(*byte) != 0)
}

/// Whether a head has a control byte other than tab, CR and LF. (Without early exit, so that it runs on many bytes at once.)
pub(super) fn has_control(head: &[u8]) -> bool {
    head.iter().fold(false, |found, &byte| found | is_control(byte))
}

fn is_control(byte: u8) -> bool {
    ((byte < 0x20) & (byte != b'\t') & (byte != b'\r') & (byte != b'\n')) | (byte == 0x7f)
}

/// Whether a value would end its line, or end early for readers in C.
pub(super) fn breaks_line(value: &[u8]) -> bool {
    value.iter().fold(false, |found, &byte| found | (byte == b'\r') | (byte == b'\n') | (byte == 0))
}

/// What separates the words of a first line and surrounds values. Envoy takes CR for one of them.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Without the [spaces](is_space) at both ends.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Whether `Host` may have this value. What may stand there was observed in Envoy 1.40; it is more than RFC 3986 allows in places.
pub(super) fn is_authority(value: &[u8]) -> bool {
    value.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'$'..=b'.' | b':' | b';' | b'=' | b'@' | b'[' | b']' | b'_' | b'~')
    })
}

/// The elements of a comma-separated list, trimmed, empty ones left out.
pub(super) fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(trim).filter(|token| !token.is_empty())
}

/// Whether a comma-separated list has `token`, in any case.
pub(super) fn has_token(list: Option<&[u8]>, token: &[u8]) -> bool {
    list.is_some_and(|list| tokens(list).any(|t| t.eq_ignore_ascii_case(token)))
}
