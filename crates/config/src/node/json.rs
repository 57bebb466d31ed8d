//! JSON as Envoy reads it: RFC 8259, and as Envoy's parser does also single quotes, bare keys, a comma before a closing bracket, and
//! control characters in strings.

use std::rc::Rc;

use super::{Document, Entries, Entry, MAX_TEXT_DEPTH, Mark, Node, Remark, Value};

/// Reads a text that is one value.
pub(crate) fn parse(text: &str) -> Result<Document, Remark> {
    let mut parser = Parser { text, at: 0, mark: Mark::new(1, 1), remarks: Vec::new() };
    let root = parser.value(0)?;
    parser.space();
    if parser.peek().is_some() {
        return Err(parser.error("something follows the value"));
    }
    Ok(Document { root, remarks: parser.remarks })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    mark: Mark,
    remarks: Vec<Remark>,
}

// === impl Parser ===

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(c.len_utf8());
        if c == '\n' {
            self.mark = Mark { line: self.mark.line.saturating_add(1), column: 1 };
        } else {
            self.mark.column = self.mark.column.saturating_add(1);
        }
        Some(c)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.next();
        }
    }

    fn error(&self, message: &str) -> Remark {
        Remark { at: self.mark, message: format!("not JSON: {message}") }
    }

    fn expect(&mut self, wanted: char) -> Result<(), Remark> {
        match self.peek() {
            Some(c) if c == wanted => {
                self.next();
                Ok(())
            }
            Some(c) => Err(self.error(&format!("expected '{wanted}', found '{}'", c.escape_default()))),
            None => Err(self.error(&format!("expected '{wanted}', found the end"))),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Rc<Node>, Remark> {
        if depth > MAX_TEXT_DEPTH {
            return Err(self.error(&format!("nested deeper than {MAX_TEXT_DEPTH} levels")));
        }
        self.space();
        let at = self.mark;
        let value = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some(quote @ ('"' | '\'')) => Value::String(self.string(quote)?),
            Some('-' | '0'..='9') => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => {
                let error = self.error("expected a value");
                match self.word() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    _ => return Err(error),
                }
            }
            _ => return Err(self.error("expected a value")),
        };
        Ok(Rc::new(Node { value, at }))
    }

    fn word(&mut self) -> &str {
        let start = self.at;
        while matches!(self.peek(), Some('a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '$')) {
            self.next();
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn object(&mut self, depth: usize) -> Result<Value, Remark> {
        self.expect('{')?;
        let mut entries = Entries::default();
        loop {
            self.space();
            let at = self.mark;
            let key = match self.peek() {
                Some('}') => break,
                Some(quote @ ('"' | '\'')) => self.string(quote)?,
                Some('a'..='z' | 'A'..='Z' | '_' | '$') => self.word().to_owned(),
                _ => return Err(self.error("expected a key or '}'")),
            };
            self.space();
            self.expect(':')?;
            let node = self.value(depth.saturating_add(1))?;
            entries.insert(Entry { key, at, node }, &mut self.remarks);
            self.space();
            if self.peek() != Some(',') {
                break;
            }
            self.next();
        }
        self.expect('}')?;
        Ok(Value::Map(entries.entries))
    }

    fn array(&mut self, depth: usize) -> Result<Value, Remark> {
        self.expect('[')?;
        let mut items = Vec::new();
        loop {
            self.space();
            if self.peek() == Some(']') {
                break;
            }
            items.push(self.value(depth.saturating_add(1))?);
            self.space();
            if self.peek() != Some(',') {
                break;
            }
            self.next();
        }
        self.expect(']')?;
        Ok(Value::List(items))
    }

    fn number(&mut self) -> Result<Value, Remark> {
        let error = self.error("a number is malformed or out of range");
        let start = self.at;
        while matches!(self.peek(), Some('-' | '+' | '.' | 'e' | 'E' | '0'..='9')) {
            self.next();
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) || digits.ends_with('.') {
            return Err(error);
        }
        if let Ok(value) = text.parse() {
            return Ok(Value::Int(value));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => Err(error),
        }
    }

    fn string(&mut self, quote: char) -> Result<String, Remark> {
        self.expect(quote)?;
        let mut string = String::new();
        loop {
            match self.next() {
                None => return Err(self.error("a string does not end")),
                Some(c) if c == quote => return Ok(string),
                Some('\\') => string.push(self.escape()?),
                Some(c) => string.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Remark> {
        let error = self.error("a bad escape in a string");
        Ok(match self.next() {
            Some(c @ ('"' | '\'' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let unit = self.hex4().ok_or(error)?;
                let error = self.error("a lone surrogate in a string");
                if !(0xd800..0xe000).contains(&unit) {
                    return char::from_u32(unit).ok_or(error);
                }
                if unit >= 0xdc00 || self.next() != Some('\\') || self.next() != Some('u') {
                    return Err(error);
                }
                let low = self.hex4().filter(|low| (0xdc00..0xe000).contains(low));
                let Some(low) = low else { return Err(error) };
                let high = (unit & 0x3ff) << 10;
                return char::from_u32((high | (low & 0x3ff)).saturating_add(0x10000)).ok_or(error);
            }
            _ => return Err(error),
        })
    }

    fn hex4(&mut self) -> Option<u32> {
        (0..4).try_fold(0u32, |value, _| Some((value << 4) | self.next()?.to_digit(16)?))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
