//! Whether a connection begins with HTTP, by its first line.

/// What HTTP/2 begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Of a first line that is not complete.
    Partial,
    Http10,
    Http11,
    Http2,
    Other,
}

/// Reads the first bytes of a connection, of which there is one at least.
pub(super) fn parse(data: &[u8]) -> Parsed {
    let count = PREFACE.len().min(data.len());
    if data.get(..count) == PREFACE.get(..count) {
        return if count == PREFACE.len() { Parsed::Http2 } else { Parsed::Partial };
    }
    if matches!(data.first(), Some(b'\r' | b'\n')) {
        return Parsed::Other;
    }
    let Some(end) = memchr::memchr(b'\n', data) else { return Parsed::Partial };
    let line = data.get(..end).unwrap_or_default();
    request_line(line.strip_suffix(b"\r").unwrap_or(line))
}

/// `METHOD TARGET VERSION`; a version that is missing is an old one.
fn request_line(line: &[u8]) -> Parsed {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    if line.first().is_some_and(is_space) {
        return Parsed::Other;
    }
    let mut words = line.split(is_space).filter(|word| !word.is_empty());
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Parsed::Other };
    let valid = method.iter().all(|byte| is_token(*byte)) && target.iter().all(u8::is_ascii_graphic);
    if !valid {
        return Parsed::Other;
    }
    match (words.next(), words.next()) {
        (Some(b"HTTP/1.1"), None) => Parsed::Http11,
        (None, _) => Parsed::Http10,
        (Some(version), None) if is_version(version) => Parsed::Http10,
        _ => Parsed::Other,
    }
}

fn is_version(version: &[u8]) -> bool {
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        for (data, parsed) in [
            (&b"GET / HTTP/1.1\r\n"[..], Parsed::Http11),
            (b"GET / HTTP/1.1\nx", Parsed::Http11),
            (b"GET / HTTP/1.0\r\n", Parsed::Http10),
            (b"GET / HTTP/2.0\r\n", Parsed::Http10),
            (b"OWN /x HTTP/1.1\r\n", Parsed::Http11),
            (b"GET / HTTP/1.1", Parsed::Partial),
            (b"PRI * HTTP/2.0\r\n", Parsed::Partial),
            (PREFACE, Parsed::Http2),
            (b"\r\nGET / HTTP/1.1\r\n", Parsed::Other),
            (b"G(T / HTTP/1.1\r\n", Parsed::Other),
            (b"hello\r\n", Parsed::Other),
            (b" GET / HTTP/1.1\r\n", Parsed::Other),
            (b"GET  /  HTTP/1.1\r\n", Parsed::Http11),
            (b"GET /\xff HTTP/1.1\r\n", Parsed::Other),
            (b"GET / HTTX/1.1\r\n", Parsed::Other),
        ] {
            assert_eq!(parse(data), parsed, "{}", data.escape_ascii());
        }
    }
}
