//! Values and conditions.

use std::cmp::Ordering;

use sandgate_abi::pairs;

use super::reader::{Error, Reader};
use super::run::Frame;
use super::stats;

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(i64),
    Bytes(Vec<u8>),
}

/// A value as it is written.
#[derive(Debug)]
pub(super) enum Expression {
    Number(i64),
    Bytes(Vec<u8>),
    Pairs(Vec<(Expression, Expression)>),
    Path(Vec<Expression>),
    Name(String),
    Negative(Box<Expression>),
    Header(Box<Expression>),
    Length(Box<Expression>),
    LittleEndian(Box<Expression>, usize),
    Stats(Box<Expression>, Box<Expression>),
    Repeat(Box<Expression>, Box<Expression>),
    Sum(Box<Expression>, Box<Expression>),
    Difference(Box<Expression>, Box<Expression>),
}

#[derive(Debug)]
pub(super) enum Condition {
    Not(Box<Condition>),
    Is(Expression),
    Compared(Expression, Holds, Expression),
}

/// Whether a comparison comes out as its operator says.
type Holds = fn(Ordering) -> bool;

/// In the order in which they are looked for.
const OPERATORS: [(&str, Holds); 6] = [
    ("==", Ordering::is_eq),
    ("!=", Ordering::is_ne),
    ("<=", Ordering::is_le),
    (">=", Ordering::is_ge),
    ("<", Ordering::is_lt),
    (">", Ordering::is_gt),
];

// === impl Value ===

impl Value {
    pub(super) fn number(&self) -> Result<i64, Error> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Bytes(_) => Err("an integer is wanted here"),
        }
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_string().into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Number(number) => *number != 0,
            Self::Bytes(bytes) => !bytes.is_empty(),
        }
    }
}

// === impl Expression ===

impl Expression {
    /// Reads a sum.
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut sum = Self::primary(reader)?;
        loop {
            if reader.accept("+") {
                sum = Self::Sum(Box::new(sum), Box::new(Self::primary(reader)?));
            } else if reader.accept("-") {
                sum = Self::Difference(Box::new(sum), Box::new(Self::primary(reader)?));
            } else {
                return Ok(sum);
            }
        }
    }

    fn primary(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.skip_blanks(false);
        match reader.peek().ok_or("a value is wanted here")? {
            b'0'..=b'9' => return Ok(Self::Number(reader.digits())),
            b'@' => return Err("native plugins have no memory to point into"),
            _ => {}
        }
        if reader.rest().starts_with(b"h\"") {
            reader.next();
            reader.next();
            return Ok(Self::Bytes(reader.hex()?));
        }
        if reader.accept("\"") {
            return Ok(Self::Bytes(reader.quoted()?));
        }
        if reader.accept("{") {
            let pair = |reader: &mut Reader<'_>| {
                let key = Self::parse(reader)?;
                reader.expect(":")?;
                reader.skip_blanks(true);
                Ok((key, Self::parse(reader)?))
            };
            return Ok(Self::Pairs(reader.list("}", pair)?));
        }
        if reader.accept("[") {
            return Ok(Self::Path(reader.list("]", Self::parse)?));
        }
        if reader.accept("$") {
            let name = String::from_utf8_lossy(reader.word()).into_owned();
            return if name.is_empty() { Err("a name is wanted behind '$'") } else { Ok(Self::Name(name)) };
        }
        if reader.accept("-") {
            return Ok(Self::Negative(Box::new(Self::primary(reader)?)));
        }
        let start = *reader;
        let function = reader.word();
        match function {
            b"header" | b"len" | b"u32" | b"u64" | b"stats" | b"repeat" => {}
            _ => {
                *reader = start;
                return Err("not a value");
            }
        }
        reader.expect("(")?;
        let mut arguments = reader.list(")", Self::parse)?.into_iter();
        let mut argument = || arguments.next().map(Box::new).ok_or("expected ',' or the end of a list");
        let made = match function {
            b"header" => Self::Header(argument()?),
            b"len" => Self::Length(argument()?),
            b"u32" => Self::LittleEndian(argument()?, 4),
            b"u64" => Self::LittleEndian(argument()?, 8),
            b"stats" => Self::Stats(argument()?, argument()?),
            _ => Self::Repeat(argument()?, argument()?),
        };
        if arguments.next().is_some() { Err("expected ',' or the end of a list") } else { Ok(made) }
    }

    pub(super) fn value(&self, frame: &mut Frame<'_>) -> Result<Value, Error> {
        Ok(match self {
            Self::Number(number) => Value::Number(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Self::Pairs(entries) => {
                let mut map = Vec::new();
                for (key, value) in entries {
                    map.push((key.value(frame)?.bytes(), value.value(frame)?.bytes()));
                }
                let mut out = Vec::new();
                pairs::encode(map.iter().map(|(key, value)| (&key[..], &value[..])), &mut out);
                Value::Bytes(if out.is_empty() { vec![0; 4] } else { out })
            }
            Self::Path(segments) => {
                let segments: Result<Vec<_>, _> =
                    segments.iter().map(|segment| Ok::<_, Error>(segment.value(frame)?.bytes())).collect();
                Value::Bytes(segments?.join(&0))
            }
            Self::Name(name) => frame.named(name),
            Self::Negative(of) => Value::Number(of.value(frame)?.number()?.wrapping_neg()),
            Self::Header(name) => {
                let name = name.value(frame)?.bytes();
                Value::Bytes(frame.request_header(&name))
            }
            Self::Length(of) => Value::Number(i64::try_from(of.value(frame)?.bytes().len()).unwrap_or(i64::MAX)),
            Self::LittleEndian(of, size) => {
                let bytes = of.value(frame)?.number()?.to_le_bytes();
                Value::Bytes(bytes.get(..*size).unwrap_or_default().to_vec())
            }
            Self::Stats(blocks, prefix) => {
                let blocks = blocks.value(frame)?.bytes();
                Value::Bytes(stats::told(&blocks, &prefix.value(frame)?.bytes()))
            }
            Self::Repeat(of, times) => {
                let (bytes, times) = (of.value(frame)?.bytes(), times.value(frame)?.number()?);
                let times = usize::try_from(times).map_err(|_| "repeat makes at most 256 MiB")?;
                if bytes.len().saturating_mul(times) > 256 << 20 {
                    return Err("repeat makes at most 256 MiB");
                }
                Value::Bytes(bytes.repeat(times))
            }
            Self::Sum(left, right) => match (left.value(frame)?, right.value(frame)?) {
                (Value::Number(left), Value::Number(right)) => Value::Number(left.wrapping_add(right)),
                (left, right) => Value::Bytes([left.bytes(), right.bytes()].concat()),
            },
            Self::Difference(left, right) => {
                Value::Number(left.value(frame)?.number()?.wrapping_sub(right.value(frame)?.number()?))
            }
        })
    }
}

// === impl Condition ===

impl Condition {
    /// Reads comparisons that are joined by `and`.
    pub(super) fn parse_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Error> {
        let mut all = vec![Self::parse(reader)?];
        while reader.accept("and") {
            all.push(Self::parse(reader)?);
        }
        Ok(all)
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.accept("not") {
            return Ok(Self::Not(Box::new(Self::parse(reader)?)));
        }
        let left = Expression::parse(reader)?;
        for (token, holds) in OPERATORS {
            if reader.accept(token) {
                return Ok(Self::Compared(left, holds, Expression::parse(reader)?));
            }
        }
        Ok(Self::Is(left))
    }

    fn holds(&self, frame: &mut Frame<'_>) -> Result<bool, Error> {
        Ok(match self {
            Self::Not(condition) => !condition.holds(frame)?,
            Self::Is(value) => value.value(frame)?.is_true(),
            Self::Compared(left, holds, right) => holds(match (left.value(frame)?, right.value(frame)?) {
                (Value::Number(left), Value::Number(right)) => left.cmp(&right),
                (left, right) => left.bytes().cmp(&right.bytes()),
            }),
        })
    }

    /// Whether all hold.
    pub(super) fn all_hold(all: &[Self], frame: &mut Frame<'_>) -> Result<bool, Error> {
        let mut held = true;
        for condition in all {
            held = condition.holds(frame)? && held;
        }
        Ok(held)
    }
}
