//! Scripts: what they switch on, and blocks of steps.

use std::rc::Rc;

use sandgate_abi::{CallbackKind, CallbackSet};

use super::call::{self, Call};
use super::expression::{Condition, Expression};
use super::names;
use super::reader::{Error, Reader};

#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) trace: bool,
    pub(super) silent: bool,
    /// Values of the request are used.
    pub(super) reads_request: bool,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) callbacks: CallbackSet,
    pub(super) when: Vec<Condition>,
    pub(super) steps: Vec<(usize, Step)>,
}

#[derive(Debug)]
pub(super) enum Step {
    Call(Rc<Call>),
    Keep(String, Rc<Call>),
    Set(String, Expression),
    Quiet(Box<Step>),
    If(Vec<Condition>, Box<Step>),
    Times(Expression, Box<Step>),
    Say(Expression),
    Return(Expression),
    Reply(Expression),
    Stamp(Expression),
    Silent,
    Trap(String),
    Spin(Expression),
}

/// Kinds of trap that end.
const TRAPS: [&str; 6] = ["unreachable", "oob", "divzero", "overflow", "indirect", "stackoverflow"];

// === impl Script ===

impl Script {
    /// Reads a whole script.
    ///
    /// # Errors
    /// The first one, with its line.
    pub(super) fn parse(text: &[u8]) -> Result<Self, (usize, Error)> {
        let mut reader = Reader::new(text);
        let mut script = Self::default();
        let contains = |name: &[u8]| text.windows(name.len()).any(|part| part == name);
        script.reads_request = contains(b"$path") || contains(b"$method") || contains(b"header(");
        while !reader.at_end() {
            script.item(&mut reader).map_err(|error| (reader.line(), error))?;
        }
        Ok(script)
    }

    fn item(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if reader.accept("trace") {
            self.trace = true;
            if reader.accept("allocate") {
                return Err("native plugins have no allocator");
            }
        } else if self.blocks.is_empty() && reader.accept("silent") {
            self.silent = true;
        } else if reader.accept("on") {
            self.blocks.push(Block::head(reader)?);
            // A step may follow on the line.
            if !reader.at_line_end() {
                self.step(reader)?;
            }
        } else {
            self.step(reader)?;
        }
        if reader.at_line_end() { Ok(()) } else { Err("more than one step on a line") }
    }

    fn step(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let line = reader.line();
        let block = self.blocks.last_mut().ok_or("expected 'on', 'trace' or 'silent'")?;
        block.steps.push((line, Step::parse(reader)?));
        Ok(())
    }
}

// === impl Block ===

impl Block {
    fn head(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut callbacks = CallbackSet::default();
        loop {
            match reader.word() {
                b"any" => CallbackKind::ALL.iter().for_each(|kind| callbacks.insert(*kind)),
                // Callbacks of Wasm modules only.
                b"start" | b"main" => return Err("native plugins do not start as Wasm does"),
                name => callbacks.insert(names::named(name).ok_or("unknown callback")?),
            }
            if !reader.accept(",") {
                break;
            }
        }
        let when = if reader.accept("when") { Condition::parse_all(reader)? } else { Vec::new() };
        reader.expect(":")?;
        Ok(Self { callbacks, when, steps: Vec::new() })
    }
}

// === impl Step ===

impl Step {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let value = Expression::parse;
        Ok(if reader.accept("$") {
            Self::assignment(reader)?
        } else if reader.accept("quiet") {
            Self::Quiet(Box::new(Self::parse(reader)?))
        } else if reader.accept("if") {
            let conditions = Condition::parse_all(reader)?;
            reader.expect(":")?;
            Self::If(conditions, Box::new(Self::parse(reader)?))
        } else if reader.accept("times") {
            let rounds = value(reader)?;
            reader.expect(":")?;
            Self::Times(rounds, Box::new(Self::parse(reader)?))
        } else if reader.accept("say") {
            Self::Say(value(reader)?)
        } else if reader.accept("return") {
            Self::Return(value(reader)?)
        } else if reader.accept("reply") {
            Self::Reply(value(reader)?)
        } else if reader.accept("stamp") {
            Self::Stamp(value(reader)?)
        } else if reader.accept("silent") {
            Self::Silent
        } else if reader.accept("trap") {
            let kind = String::from_utf8_lossy(reader.word()).into_owned();
            if !TRAPS.contains(&kind.as_str()) {
                return Err("unknown kind of trap, or one without end");
            }
            Self::Trap(kind)
        } else if reader.accept("spin") {
            Self::Spin(value(reader)?)
        } else {
            Self::Call(Rc::new(Call::parse(reader)?))
        })
    }

    /// Behind its `$`.
    fn assignment(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let name = String::from_utf8_lossy(reader.word()).into_owned();
        if name.is_empty() {
            return Err("a name is wanted behind '$'");
        }
        reader.expect("=")?;
        reader.skip_blanks(false);
        let start = *reader;
        let called = call::is_name(reader.word());
        *reader = start;
        Ok(if called {
            Self::Keep(name, Rc::new(Call::parse(reader)?))
        } else {
            Self::Set(name, Expression::parse(reader)?)
        })
    }
}
