//! Strings and bytes, their prefixes, quotes and escapes.

use bytes::Bytes;

use super::SyntaxError;
use super::lexer::Kind;

/// The string or bytes literal that `text` begins with, if it does, and its length.
pub(super) fn string(text: &str, at: usize) -> Result<Option<(Kind, usize)>, SyntaxError> {
    let (is_bytes, rest) = prefix(text, ['b', 'B']);
    let (is_raw, rest) = prefix(rest, ['r', 'R']);
    let Some(quote) = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote)) else {
        return Ok(None);
    };
    let start = text.len() - rest.len() + quote.len();
    let body = &text[start..];
    let end = end(body, quote, is_raw).ok_or_else(|| SyntaxError::new(at, "a string without an end"))?;
    let content = &body[..end];
    let bad = || SyntaxError::new(at, "a bad escape");
    let value = if is_raw { content.as_bytes().to_vec() } else { unescape(content, is_bytes).ok_or_else(bad)? };
    let value = Bytes::from(value);
    let kind = if is_bytes { Kind::Bytes(value) } else { Kind::String(value) };
    Ok(Some((kind, start + end + quote.len())))
}

fn prefix(text: &str, letters: [char; 2]) -> (bool, &str) {
    text.strip_prefix(letters).map_or((false, text), |rest| (true, rest))
}

fn end(body: &str, quote: &str, is_raw: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = body.as_bytes().get(at..)?;
        if rest.starts_with(quote.as_bytes()) {
            return Some(at);
        }
        match rest.first()? {
            b'\\' if !is_raw => at += 2,
            b'\n' | b'\r' if quote.len() == 1 => return None,
            _ => at += 1,
        }
    }
}

fn unescape(text: &str, is_bytes: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(slash) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..slash]);
        rest = &rest[slash + 1..];
        let letter = rest.chars().next()?;
        rest = &rest[letter.len_utf8()..];
        let mut code = |digits: usize, radix: u32, value: u32| {
            let text = rest.get(..digits).filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric()))?;
            rest = &rest[digits..];
            if digits == 0 { Some(value) } else { Some(value + u32::from_str_radix(text, radix).ok()?) }
        };
        let (value, is_unicode) = match letter {
            'a' => (7, false),
            'b' => (8, false),
            'f' => (12, false),
            'n' => (10, false),
            'r' => (13, false),
            't' => (9, false),
            'v' => (11, false),
            '\\' | '\'' | '"' | '`' | '?' => (u32::from(letter), false),
            'x' | 'X' => (code(2, 16, 0)?, false),
            'u' => (code(4, 16, 0)?, true),
            'U' => (code(8, 16, 0)?, true),
            '0'..='3' => (code(2, 8, 64 * (u32::from(letter) - 48))?, false),
            _ => return None,
        };
        match u8::try_from(value) {
            _ if is_unicode && is_bytes => return None,
            Ok(byte) if is_bytes => out.push(byte),
            _ => out.extend_from_slice(char::from_u32(value)?.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Some(out)
}
