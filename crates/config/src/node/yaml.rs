//! YAML as Envoy reads it: YAML 1.1 scalars after the manner of yaml-cpp, observed in Envoy 1.40.
//!
//! What differs from other readers: `y`, `n`, `yes`, `no`, `on` and `off` are booleans; integers may be octal or hexadecimal; a number with
//! a point or an exponent, or beyond 32 bits, is a string; tags have no meaning, apart from `!`, which makes a string, and `!ignore` on a key,
//! which drops the entry; merge keys are ordinary keys; only the first document counts.

use std::{borrow::Cow, collections::HashMap, rc::Rc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{Document, Entries, Entry, MAX_TEXT_DEPTH, Mark, Node, Remark, Value};

/// Reads the first document.
pub(crate) fn parse(text: &str) -> Result<Document, Remark> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Remark {
            at: Mark::new(error.marker().line(), error.marker().col().saturating_add(1)),
            message: format!("not YAML: {}", error.info()),
        })?;
        match event {
            Event::DocumentEnd => break,
            event => builder.event(event, mark(&span))?,
        }
    }
    let root = builder.root.unwrap_or_else(|| Rc::new(Node { value: Value::Null, at: Mark::new(1, 1) }));
    // Whatever follows is not read by Envoy either, right or wrong.
    if let Some(Ok((Event::DocumentStart(_), span))) = parser.next_event() {
        let message = "only the first YAML document is read".to_owned();
        builder.remarks.push(Remark { at: mark(&span), message });
    }
    Ok(Document { root, remarks: builder.remarks })
}

/// Types a plain scalar.
pub(crate) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Value::Bool(value);
    }
    match integer(text) {
        Some(value) if i32::try_from(value).is_ok() => Value::Int(value.into()),
        Some(value) => Value::String(value.to_string()),
        None => Value::String(text.to_owned()),
    }
}

fn boolean(text: &str) -> Option<bool> {
    let first_upper = text.starts_with(|c: char| c.is_ascii_uppercase());
    let rest = text.get(1..)?;
    let flexible = if first_upper {
        rest.bytes().all(|b| b.is_ascii_lowercase()) || rest.bytes().all(|b| b.is_ascii_uppercase())
    } else {
        text.bytes().all(|b| b.is_ascii_lowercase())
    };
    if !flexible {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// What a C++ stream with automatic base takes for a 64-bit integer.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (base, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    // `from_str_radix` would take a second sign.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(digits, base).ok()?;
    i64::try_from(if negative { value.checked_neg()? } else { value }).ok()
}

fn mark(span: &Span) -> Mark {
    Mark::new(span.start.line(), span.start.col().saturating_add(1))
}

/// A collection that is still open.
#[derive(Debug)]
enum Frame {
    List { items: Vec<Rc<Node>>, anchor: usize, at: Mark },
    Map { entries: Entries, key: Option<Key>, anchor: usize, at: Mark },
}

/// A key whose value is awaited.
#[derive(Debug)]
struct Key {
    text: String,
    at: Mark,
    ignore: bool,
}

#[derive(Debug, Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    remarks: Vec<Remark>,
}

// === impl Builder ===

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Mark) -> Result<(), Remark> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_ref(), at),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::SequenceStart(anchor, _) => self.open(Frame::List { items: Vec::new(), anchor, at }),
            Event::MappingStart(anchor, _) => {
                self.open(Frame::Map { entries: Entries::default(), key: None, anchor, at })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
            _ => Ok(()),
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Remark> {
        let at = match &frame {
            Frame::List { at, .. } | Frame::Map { at, .. } => *at,
        };
        if let Some(Frame::Map { key: None, .. }) = self.stack.last() {
            return Err(Remark { at, message: "a key must be a scalar".to_owned() });
        }
        if self.stack.len() >= MAX_TEXT_DEPTH {
            return Err(Remark { at, message: format!("nested deeper than {MAX_TEXT_DEPTH} levels") });
        }
        self.stack.push(frame);
        Ok(())
    }

    fn close(&mut self, at: Mark) -> Result<(), Remark> {
        let (value, anchor, at) = match self.stack.pop() {
            Some(Frame::List { items, anchor, at }) => (Value::List(items), anchor, at),
            Some(Frame::Map { entries, anchor, at, .. }) => (Value::Map(entries.entries), anchor, at),
            None => return Err(Remark { at, message: "not YAML: nothing to close".to_owned() }),
        };
        self.add(Rc::new(Node { value, at }), anchor);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Cow<'_, Tag>>,
        at: Mark,
    ) -> Result<(), Remark> {
        if let Some(Frame::Map { key: slot @ None, .. }) = self.stack.last_mut() {
            let ignore = tag.is_some_and(|tag| tag.handle == "!" && tag.suffix == "ignore");
            let null = style == ScalarStyle::Plain && matches!(plain(text), Value::Null);
            let text = if null { "null" } else { text };
            *slot = Some(Key { text: text.to_owned(), at, ignore });
            if anchor > 0 {
                self.anchors.insert(anchor, Rc::new(Node { value: Value::String(text.to_owned()), at }));
            }
            return Ok(());
        }
        let non_specific = tag.is_some_and(|tag| tag.suffix.is_empty() || (tag.handle.is_empty() && tag.suffix == "!"));
        let value = match style {
            ScalarStyle::Plain if !non_specific => plain(text),
            _ => Value::String(text.to_owned()),
        };
        self.add(Rc::new(Node { value, at }), anchor);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: Mark) -> Result<(), Remark> {
        // An anchor is known once its node is whole, so a node cannot hold itself.
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Remark { at, message: "an alias may not stand inside of its own anchor".to_owned() });
        };
        if let Some(Frame::Map { key: slot @ None, .. }) = self.stack.last_mut() {
            let Value::String(text) = &node.value else {
                return Err(Remark { at, message: "a key must be a scalar".to_owned() });
            };
            *slot = Some(Key { text: text.clone(), at, ignore: false });
            return Ok(());
        }
        self.add(node, 0);
        Ok(())
    }

    fn add(&mut self, node: Rc<Node>, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.stack.last_mut() {
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => {
                if let Some(key) = key.take()
                    && !key.ignore
                {
                    entries.insert(Entry { key: key.text, at: key.at, node }, &mut self.remarks);
                }
            }
            None => self.root = Some(node),
        }
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
