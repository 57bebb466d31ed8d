//! Evaluation.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::activation::Activation;
use crate::budget::Budget;
use crate::functions;
use crate::node::{Fold, Node};
use crate::value::Map;
use crate::{Environment, EvaluateError, Value, message};

pub(crate) type Evaluated = Result<Value, EvaluateError>;

/// One evaluation.
pub(crate) struct State<'a> {
    pub(crate) activation: &'a Activation<'a>,
    pub(crate) environment: &'a Environment,
    pub(crate) budget: Budget,
    locals: SmallVec<[Evaluated; 2]>,
}

// === impl State ===

impl<'a> State<'a> {
    pub(crate) fn new(activation: &'a Activation<'a>, environment: &'a Environment, locals: usize) -> Self {
        let locals = std::iter::repeat_with(|| Ok(Value::Null)).take(locals).collect();
        Self { activation, environment, budget: Budget::new(), locals }
    }

    pub(crate) fn evaluate(&mut self, node: &Node) -> Evaluated {
        self.budget.steps(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Variable { name, otherwise } => {
                let value = self.activation.variable(name, self.environment).or_else(|| otherwise.clone());
                value.ok_or(EvaluateError::NoSuchVariable)
            }
            Node::Local(place) => self.locals.get(*place).cloned().unwrap_or(Err(EvaluateError::NoSuchVariable)),
            Node::Select { operand, field } => {
                let operand = self.evaluate(operand)?;
                self.select(&operand, field)
            }
            Node::Has { operand, field } => {
                let operand = self.evaluate(operand)?;
                self.has(&operand, field).map(Value::Bool)
            }
            Node::And(terms) => self.logical(terms, false),
            Node::Or(terms) => self.logical(terms, true),
            Node::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                match self.evaluate(condition)? {
                    Value::Bool(true) => self.evaluate(then),
                    Value::Bool(false) => self.evaluate(otherwise),
                    _ => Err(EvaluateError::NoMatchingOverload),
                }
            }
            Node::NotStrictlyFalse(operand) => match self.evaluate(operand) {
                Err(EvaluateError::TooLong) => Err(EvaluateError::TooLong),
                value => Ok(Value::Bool(!matches!(value, Ok(Value::Bool(false))))),
            },
            Node::Matches { text, pattern } => match (self.evaluate(text)?, pattern) {
                (Value::String(text), Some(pattern)) => Ok(Value::Bool(pattern.is_match(&text))),
                (Value::String(_), None) => Err(EvaluateError::InvalidArgument),
                _ => Err(EvaluateError::NoMatchingOverload),
            },
            Node::Call { function, arguments } => {
                let mut values = SmallVec::<[Value; 3]>::new();
                for argument in arguments {
                    values.push(self.evaluate(argument)?);
                }
                functions::call(*function, &values, self)
            }
            Node::List(elements) => {
                self.budget.bytes(size_of::<Value>() * elements.len())?;
                Ok(Value::list(elements.iter().map(|element| self.evaluate(element)).collect::<Result<_, _>>()?))
            }
            Node::Map(entries) => {
                self.budget.bytes(2 * size_of::<Value>() * entries.len())?;
                let entries = entries.iter().map(|(key, value)| Ok((self.evaluate(key)?, self.evaluate(value)?)));
                let map = Map::new(entries.collect::<Result<_, EvaluateError>>()?);
                Ok(Value::Map(Arc::new(map.ok_or(EvaluateError::InvalidArgument)?)))
            }
            Node::Message { descriptor, fields } => {
                let mut message = prost_reflect::DynamicMessage::new(descriptor.clone());
                for (field, value) in fields {
                    let value = self.evaluate(value)?;
                    let value = self.settled(value);
                    message::set(&mut message, field, &value, self.environment)?;
                }
                message::unwrapped(message).ok_or(EvaluateError::InvalidArgument)
            }
            Node::Fold(fold) => self.fold(fold),
            Node::Append { accumulator, element } => self.append(*accumulator, element),
        }
    }

    /// `&&` (decided by false) or `||` (by true): what one term decides is no matter of the errors of others.
    fn logical(&mut self, terms: &[Node], decides: bool) -> Evaluated {
        let mut failed = None;
        for term in terms {
            match self.evaluate(term) {
                Ok(Value::Bool(value)) if value == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => failed = failed.or(Some(EvaluateError::NoMatchingOverload)),
                Err(EvaluateError::TooLong) => return Err(EvaluateError::TooLong),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn fold(&mut self, fold: &Fold) -> Evaluated {
        let range = match self.evaluate(&fold.range)? {
            Value::List(list) => list,
            Value::Map(map) => Arc::new(map.entries().iter().map(|(key, _)| key.clone()).collect()),
            Value::Attributes(branch) if branch.is_headers() => match self.activation.headers(branch) {
                Some(Value::Map(map)) => Arc::new(map.entries().iter().map(|(key, _)| key.clone()).collect()),
                _ => Arc::default(),
            },
            Value::Attributes(_) => Arc::default(),
            _ => return Err(EvaluateError::NoMatchingOverload),
        };
        let initial = self.evaluate(&fold.initial);
        self.set(fold.accumulator, initial);
        for element in range.iter() {
            self.budget.round()?;
            self.set(fold.variable, Ok(element.clone()));
            match self.evaluate(&fold.condition)? {
                Value::Bool(true) => {}
                Value::Bool(false) => return self.evaluate(&fold.result),
                _ => return Err(EvaluateError::NoMatchingOverload),
            }
            let next = self.evaluate(&fold.step);
            if next.as_ref().is_err_and(|error| *error == EvaluateError::TooLong) {
                return next;
            }
            self.set(fold.accumulator, next);
        }
        self.budget.round()?;
        self.evaluate(&fold.result)
    }

    fn set(&mut self, place: usize, value: Evaluated) {
        if let Some(local) = self.locals.get_mut(place) {
            *local = value;
        }
    }

    fn append(&mut self, accumulator: usize, element: &Node) -> Evaluated {
        let element = self.evaluate(element)?;
        self.budget.bytes(size_of::<Value>())?;
        let list = self.locals.get_mut(accumulator).ok_or(EvaluateError::NoSuchVariable)?;
        match std::mem::replace(list, Ok(Value::Null))? {
            Value::List(mut list) => {
                if Arc::get_mut(&mut list).is_none() {
                    self.budget.bytes(size_of::<Value>() * list.len())?;
                }
                Arc::make_mut(&mut list).push(element);
                Ok(Value::List(list))
            }
            _ => Err(EvaluateError::NoMatchingOverload),
        }
    }

    /// `operand.field`, or `operand["field"]` of a map.
    pub(crate) fn select(&self, operand: &Value, field: &Bytes) -> Evaluated {
        match operand {
            Value::Attributes(branch) => {
                let value = self.activation.attribute(*branch, field, self.environment);
                value.ok_or(EvaluateError::NoSuchKey)
            }
            Value::Map(map) => map.get(&Value::String(field.clone())).cloned().ok_or(EvaluateError::NoSuchKey),
            Value::Message(message) => message::field(message, field),
            _ => Err(EvaluateError::NoMatchingOverload),
        }
    }

    fn has(&self, operand: &Value, field: &Bytes) -> Result<bool, EvaluateError> {
        match operand {
            Value::Attributes(branch) => Ok(self.activation.attribute(*branch, field, self.environment).is_some()),
            Value::Map(map) => Ok(map.get(&Value::String(field.clone())).is_some()),
            Value::Message(message) => message::has(message, field),
            _ => Err(EvaluateError::NoMatchingOverload),
        }
    }

    /// The value without branches that are maps of headers: these are read now.
    pub(crate) fn settled(&self, value: Value) -> Value {
        match value {
            Value::Attributes(branch) if branch.is_headers() => {
                self.activation.headers(branch).unwrap_or(Value::Attributes(branch))
            }
            Value::List(list) if list.iter().any(|value| matches!(value, Value::Attributes(_))) => {
                Value::list(list.iter().map(|value| self.settled(value.clone())).collect())
            }
            Value::Map(map) if map.entries().iter().any(|(_, value)| matches!(value, Value::Attributes(_))) => {
                let entries = map.entries().iter().map(|(key, value)| (key.clone(), self.settled(value.clone())));
                Map::new(entries.collect()).map_or(Value::Map(map), |map| Value::Map(Arc::new(map)))
            }
            value => value,
        }
    }
}
