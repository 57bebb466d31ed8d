//! Text to tokens.

use bytes::Bytes;

use super::SyntaxError;
use super::literal;

/// A token and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Ident(String),
    /// A field name in backticks.
    Escaped(String),
    /// Its sign is another token: the least integer has no positive counterpart.
    Int(u64),
    UInt(u64),
    Double(f64),
    String(Bytes),
    Bytes(Bytes),
    Punctuation(&'static str),
    End,
}

/// Longer ones first.
const PUNCTUATION: [&str; 23] = [
    "==", "!=", "<=", ">=", "&&", "||", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "+", "*", "/", "%",
    "<",
];

/// The tokens of a text, [`Kind::End`] last.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = skip_blanks(rest);
        let at = text.len() - rest.len();
        let Some(first) = rest.bytes().next() else {
            tokens.push(Token { at, kind: Kind::End });
            return Ok(tokens);
        };
        let (kind, length) = match first {
            b'0'..=b'9' => number(rest, at)?,
            b'.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => number(rest, at)?,
            b'`' => escaped(rest, at)?,
            _ => match literal::string(rest, at)? {
                Some(found) => found,
                None if first == b'_' || first.is_ascii_alphabetic() => {
                    let length = ident_length(rest);
                    (Kind::Ident(rest[..length].to_owned()), length)
                }
                None => punctuation(rest, at)?,
            },
        };
        tokens.push(Token { at, kind });
        rest = &rest[length..];
    }
}

fn skip_blanks(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        let Some(comment) = text.strip_prefix("//") else { return text };
        text = comment.find('\n').map_or("", |end| &comment[end..]);
    }
}

fn ident_length(text: &str) -> usize {
    text.bytes().take_while(|b| *b == b'_' || b.is_ascii_alphanumeric()).count()
}

fn punctuation(text: &str, at: usize) -> Result<(Kind, usize), SyntaxError> {
    let found = PUNCTUATION.into_iter().chain([">"]).find(|mark| text.starts_with(mark));
    let mark = found.ok_or_else(|| SyntaxError::new(at, "unknown character"))?;
    Ok((Kind::Punctuation(mark), mark.len()))
}

fn escaped(text: &str, at: usize) -> Result<(Kind, usize), SyntaxError> {
    let name = text[1..].split('`').next().unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-/ ".contains(&b);
    if name.is_empty() || !name.bytes().all(allowed) || text.as_bytes().get(name.len() + 1) != Some(&b'`') {
        return Err(SyntaxError::new(at, "bad name in backticks"));
    }
    Ok((Kind::Escaped(name.to_owned()), name.len() + 2))
}

fn number(text: &str, at: usize) -> Result<(Kind, usize), SyntaxError> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let out_of_range = |_| SyntaxError::new(at, "a number out of range");
    let integer = |value: u64, length: usize| match bytes.get(length) {
        Some(b'u' | b'U') => (Kind::UInt(value), length + 1),
        _ => (Kind::Int(value), length),
    };
    if text.starts_with("0x") {
        let count = bytes.iter().skip(2).take_while(|b| b.is_ascii_hexdigit()).count();
        let value = u64::from_str_radix(&text[2..2 + count], 16).map_err(out_of_range)?;
        return Ok(integer(value, 2 + count));
    }
    let whole = digits(0);
    let mut length = whole;
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    if length > whole {
        let value = text[..length].parse().map_err(|_| SyntaxError::new(at, "a bad number"))?;
        return Ok((Kind::Double(value), length));
    }
    Ok(integer(text[..whole].parse().map_err(out_of_range)?, whole))
}
