//! Values and conditions of a script.

use sandgate_abi::{MapType, pairs};
use sandgate_vm::Output;

use super::Frame;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(i64),
    Bytes(Vec<u8>),
}

impl Value {
    pub(crate) fn number(&self) -> i64 {
        match self {
            Self::Number(n) => *n,
            Self::Bytes(bytes) => panic!("an integer is wanted, not {:?}", String::from_utf8_lossy(bytes)),
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Number(n) => n.to_string().into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

pub(crate) struct Reader<'a, 'f, 'h> {
    text: &'a str,
    at: usize,
    frame: &'f mut Frame<'h>,
}

impl<'a, 'f, 'h> Reader<'a, 'f, 'h> {
    pub(crate) fn new(text: &'a str, frame: &'f mut Frame<'h>) -> Self {
        Self { text, at: 0, frame }
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn accept(&mut self, token: &str) -> bool {
        self.at += self.rest().len() - self.rest().trim_start().len();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let Some(after) = self.rest().strip_prefix(token) else { return false };
        if token.starts_with(word) && after.starts_with(word) {
            return false;
        }
        self.at += token.len();
        true
    }

    pub(crate) fn expect(&mut self, token: &str) {
        assert!(self.accept(token), "expected {token:?} at {:?}", self.rest());
    }

    pub(crate) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    pub(crate) fn condition(&mut self) -> bool {
        let mut all = self.comparison();
        while self.accept("and") {
            all &= self.comparison();
        }
        all
    }

    fn comparison(&mut self) -> bool {
        if self.accept("not") {
            return !self.comparison();
        }
        let left = self.value();
        for operator in ["==", "!=", "<=", ">=", "<", ">"] {
            if !self.accept(operator) {
                continue;
            }
            let right = self.value();
            let order = match (&left, &right) {
                (Value::Number(l), Value::Number(r)) => l.cmp(r),
                _ => left.bytes().cmp(&right.bytes()),
            };
            return match operator {
                "==" => order.is_eq(),
                "!=" => order.is_ne(),
                "<=" => order.is_le(),
                ">=" => order.is_ge(),
                "<" => order.is_lt(),
                _ => order.is_gt(),
            };
        }
        match left {
            Value::Number(n) => n != 0,
            Value::Bytes(bytes) => !bytes.is_empty(),
        }
    }

    pub(crate) fn value(&mut self) -> Value {
        let mut value = self.primary();
        loop {
            if self.accept("+") {
                let right = self.primary();
                value = match (value, right) {
                    (Value::Number(l), Value::Number(r)) => Value::Number(l + r),
                    (l, r) => Value::Bytes([l.bytes(), r.bytes()].concat()),
                };
            } else if self.accept("-") {
                value = Value::Number(value.number() - self.primary().number());
            } else {
                return value;
            }
        }
    }

    fn primary(&mut self) -> Value {
        if self.accept("\"") {
            return Value::Bytes(self.quoted());
        }
        if self.accept("{") {
            return Value::Bytes(self.map());
        }
        if self.accept("[") {
            let parts = self.list("]", |reader| reader.value().bytes());
            return Value::Bytes(parts.join(&0));
        }
        if self.accept("$") {
            let name = self.word();
            return self.named(name);
        }
        if self.accept("-") {
            return Value::Number(-self.primary().number());
        }
        if self.accept("len") {
            self.expect("(");
            let length = self.value().bytes().len();
            self.expect(")");
            return Value::Number(length as i64);
        }
        if self.accept("repeat") {
            self.expect("(");
            let bytes = self.value().bytes();
            self.expect(",");
            let times = self.value().number();
            self.expect(")");
            return Value::Bytes(bytes.repeat(times as usize));
        }
        if self.accept("header") {
            self.expect("(");
            let name = self.value().bytes();
            self.expect(")");
            return self.header(&name);
        }
        let word = self.word();
        match word.strip_prefix("0x") {
            Some(hex) => Value::Number(i64::from_str_radix(hex, 16).unwrap()),
            None => Value::Number(word.parse().unwrap_or_else(|_| panic!("not a value: {word:?} in {:?}", self.text))),
        }
    }

    fn list<T>(&mut self, end: &str, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        while !self.accept(end) {
            if !items.is_empty() {
                self.expect(",");
            }
            items.push(item(self));
        }
        items
    }

    fn map(&mut self) -> Vec<u8> {
        let entries = self.list("}", |reader| {
            let key = reader.value().bytes();
            reader.expect(":");
            (key, reader.value().bytes())
        });
        let mut out = Vec::new();
        pairs::encode(entries.iter().map(|(k, v)| (&k[..], &v[..])), &mut out);
        if out.is_empty() { vec![0; 4] } else { out }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let bytes = self.text.as_bytes();
        loop {
            let byte = bytes[self.at];
            self.at += 1;
            match byte {
                b'"' => return out,
                b'\\' => {
                    let escape = bytes[self.at];
                    self.at += 1;
                    out.push(match escape {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'0' => 0,
                        b'x' => {
                            self.at += 2;
                            u8::from_str_radix(&self.text[self.at - 2..self.at], 16).unwrap()
                        }
                        other => other,
                    });
                }
                other => out.push(other),
            }
        }
    }

    fn named(&mut self, name: &str) -> Value {
        let frame = &self.frame;
        if let Some(value) = frame.argument(name) {
            return Value::Number(value);
        }
        Value::Number(match name {
            "context" => frame.context.into(),
            "root" => frame.root_id.into(),
            "stream" => frame.root.stream,
            "nth" => frame.root.nth[frame.name],
            "status" => frame.root.status.into(),
            "i" => frame.round,
            "path" => return self.header(b":path"),
            _ => return frame.root.variables.get(name).cloned().unwrap_or(Value::Number(0)),
        })
    }

    fn header(&mut self, name: &[u8]) -> Value {
        let mut out = Output::default();
        let _ = self.frame.host.get_header_map_value(MapType::HttpRequestHeaders, name, &mut out);
        Value::Bytes(out.chunks().flatten().copied().collect())
    }
}
