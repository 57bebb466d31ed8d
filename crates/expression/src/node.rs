//! An expression whose names are resolved: what is evaluated.

use bytes::Bytes;
use prost_reflect::{FieldDescriptor, MessageDescriptor};
use regex::bytes::Regex;

use crate::Value;
use crate::functions::Function;

/// A step of an evaluation.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Constant(Value),
    Variable {
        name: Bytes,
        /// What the name means if there is no variable: a type, a constant of an enum.
        otherwise: Option<Value>,
    },
    /// A variable of a fold, by its place.
    Local(usize),
    Select {
        operand: Box<Node>,
        field: Bytes,
    },
    Has {
        operand: Box<Node>,
        field: Bytes,
    },
    And(Box<[Node]>),
    Or(Box<[Node]>),
    /// Condition, then, otherwise.
    Conditional(Box<[Node; 3]>),
    NotStrictlyFalse(Box<Node>),
    /// `matches` with a pattern that does not change; `None` if it is none.
    Matches {
        text: Box<Node>,
        pattern: Option<Regex>,
    },
    Call {
        function: Function,
        arguments: Box<[Node]>,
    },
    List(Box<[Node]>),
    Map(Box<[(Node, Node)]>),
    Message {
        descriptor: MessageDescriptor,
        fields: Box<[(FieldDescriptor, Node)]>,
    },
    Fold(Box<Fold>),
    /// Puts one more element to the list that is accumulated, in place.
    Append {
        accumulator: usize,
        element: Box<Node>,
    },
}

/// A comprehension.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) range: Node,
    pub(crate) variable: usize,
    pub(crate) accumulator: usize,
    pub(crate) initial: Node,
    pub(crate) condition: Node,
    pub(crate) step: Node,
    pub(crate) result: Node,
}
