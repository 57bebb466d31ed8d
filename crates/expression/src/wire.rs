//! Expressions that come as messages: `google.api.expr.v1alpha1.Expr`, which `cel.expr.Expr` is on the wire too.

use bytes::Bytes;
use prost::Message;

use crate::ast::{Comprehension, Expr};
use crate::{CompileError, Value};

/// How deep such a message may nest.
const MAX_DEPTH: u32 = 64;

#[derive(Clone, PartialEq, Message)]
struct ExprMessage {
    #[prost(oneof = "Kind", tags = "3, 4, 5, 6, 7, 8, 9")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "3")]
    Constant(ConstantMessage),
    #[prost(message, tag = "4")]
    Ident(IdentMessage),
    #[prost(message, boxed, tag = "5")]
    Select(Box<SelectMessage>),
    #[prost(message, boxed, tag = "6")]
    Call(Box<CallMessage>),
    #[prost(message, tag = "7")]
    List(ListMessage),
    #[prost(message, tag = "8")]
    Struct(StructMessage),
    #[prost(message, boxed, tag = "9")]
    Comprehension(Box<ComprehensionMessage>),
}

#[derive(Clone, PartialEq, Message)]
struct ConstantMessage {
    #[prost(oneof = "Constant", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
    kind: Option<Constant>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Constant {
    #[prost(int32, tag = "1")]
    Null(i32),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(uint64, tag = "4")]
    UInt(u64),
    #[prost(double, tag = "5")]
    Double(f64),
    #[prost(string, tag = "6")]
    String(String),
    #[prost(bytes = "bytes", tag = "7")]
    Bytes(Bytes),
    #[prost(message, tag = "8")]
    Duration(TimeMessage),
    #[prost(message, tag = "9")]
    Timestamp(TimeMessage),
}

#[derive(Clone, PartialEq, Message)]
struct TimeMessage {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct IdentMessage {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct SelectMessage {
    #[prost(message, optional, boxed, tag = "1")]
    operand: Option<Box<ExprMessage>>,
    #[prost(string, tag = "2")]
    field: String,
    #[prost(bool, tag = "3")]
    test_only: bool,
}

#[derive(Clone, PartialEq, Message)]
struct CallMessage {
    #[prost(message, optional, boxed, tag = "1")]
    target: Option<Box<ExprMessage>>,
    #[prost(string, tag = "2")]
    function: String,
    #[prost(message, repeated, tag = "3")]
    arguments: Vec<ExprMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ListMessage {
    #[prost(message, repeated, tag = "1")]
    elements: Vec<ExprMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct StructMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(oneof = "EntryKey", tags = "2, 3")]
    key: Option<EntryKey>,
    #[prost(message, optional, tag = "4")]
    value: Option<ExprMessage>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum EntryKey {
    #[prost(string, tag = "2")]
    Field(String),
    #[prost(message, tag = "3")]
    Map(ExprMessage),
}

#[derive(Clone, PartialEq, Message)]
struct ComprehensionMessage {
    #[prost(string, tag = "1")]
    variable: String,
    #[prost(message, optional, boxed, tag = "2")]
    range: Option<Box<ExprMessage>>,
    #[prost(string, tag = "3")]
    accumulator: String,
    #[prost(message, optional, boxed, tag = "4")]
    initial: Option<Box<ExprMessage>>,
    #[prost(message, optional, boxed, tag = "5")]
    condition: Option<Box<ExprMessage>>,
    #[prost(message, optional, boxed, tag = "6")]
    step: Option<Box<ExprMessage>>,
    #[prost(message, optional, boxed, tag = "7")]
    result: Option<Box<ExprMessage>>,
}

/// Decodes a serialized expression.
pub(crate) fn decode(message: &[u8]) -> Result<Expr, CompileError> {
    let message = ExprMessage::decode(message).map_err(|error| CompileError::Unknown(error.to_string()))?;
    expr(message, 0)
}

fn boxed(message: Option<Box<ExprMessage>>, depth: u32) -> Result<Expr, CompileError> {
    expr(*message.unwrap_or_default(), depth + 1)
}

fn all(messages: Vec<ExprMessage>, depth: u32) -> Result<Vec<Expr>, CompileError> {
    messages.into_iter().map(|message| expr(message, depth + 1)).collect()
}

fn expr(message: ExprMessage, depth: u32) -> Result<Expr, CompileError> {
    if depth > MAX_DEPTH {
        return Err(CompileError::Unknown("too deep an expression".to_owned()));
    }
    let Some(kind) = message.kind else {
        return Err(CompileError::Unknown("Invalid empty expression".to_owned()));
    };
    Ok(match kind {
        Kind::Constant(constant) => Expr::Literal(value(constant.kind)),
        Kind::Ident(ident) => Expr::Ident(ident.name),
        Kind::Select(select) => Expr::Select {
            operand: Box::new(boxed(select.operand, depth)?),
            field: select.field,
            test: select.test_only,
        },
        Kind::Call(call) => Expr::Call {
            target: call.target.map(|target| boxed(Some(target), depth)).transpose()?.map(Box::new),
            function: call.function,
            arguments: all(call.arguments, depth)?,
        },
        Kind::List(list) => Expr::List(all(list.elements, depth)?),
        Kind::Struct(message) => structure(message, depth)?,
        Kind::Comprehension(fold) => Expr::Comprehension(Box::new(Comprehension {
            variable: fold.variable,
            range: boxed(fold.range, depth)?,
            accumulator: fold.accumulator,
            initial: boxed(fold.initial, depth)?,
            condition: boxed(fold.condition, depth)?,
            step: boxed(fold.step, depth)?,
            result: boxed(fold.result, depth)?,
        })),
    })
}

fn structure(message: StructMessage, depth: u32) -> Result<Expr, CompileError> {
    let mismatch = || CompileError::Unknown("an entry of the wrong kind".to_owned());
    let (mut entries, mut fields) = (Vec::new(), Vec::new());
    for entry in message.entries {
        let value = expr(entry.value.unwrap_or_default(), depth + 1)?;
        match entry.key {
            Some(EntryKey::Map(key)) if message.name.is_empty() => entries.push((expr(key, depth + 1)?, value)),
            Some(EntryKey::Field(field)) if !message.name.is_empty() => fields.push((field, value)),
            _ => return Err(mismatch()),
        }
    }
    Ok(if message.name.is_empty() { Expr::Map(entries) } else { Expr::Message { name: message.name, fields } })
}

fn value(constant: Option<Constant>) -> Value {
    let nanoseconds = |time: TimeMessage| i128::from(time.seconds) * crate::time::SECOND + i128::from(time.nanos);
    match constant {
        None | Some(Constant::Null(_)) => Value::Null,
        Some(Constant::Bool(value)) => Value::Bool(value),
        Some(Constant::Int(value)) => Value::Int(value),
        Some(Constant::UInt(value)) => Value::UInt(value),
        Some(Constant::Double(value)) => Value::Double(value),
        Some(Constant::String(value)) => Value::string(value),
        Some(Constant::Bytes(value)) => Value::Bytes(value),
        Some(Constant::Duration(value)) => Value::Duration(nanoseconds(value)),
        Some(Constant::Timestamp(value)) => Value::Timestamp(nanoseconds(value)),
    }
}
