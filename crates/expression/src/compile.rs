//! Resolves the names of an expression: functions, messages, types, the variables of folds.

use bytes::Bytes;

use crate::ast::{Comprehension, Expr};
use crate::functions::{self, Function};
use crate::node::{Fold, Node};
use crate::{CompileError, Environment, Value};

/// The names of types that are values.
const TYPES: [&str; 10] = ["null_type", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "type"];

/// The only constant of an enum that is known, as in Envoy 1.40.
const NULL_VALUE: &str = "google.protobuf.NullValue.NULL_VALUE";

/// A compiled expression and how many variables its folds have at a time.
pub(crate) fn compile(expr: &Expr, environment: &Environment) -> Result<(Node, usize), CompileError> {
    let mut compiler = Compiler { environment, scopes: Vec::new(), locals: 0 };
    let node = compiler.node(expr)?;
    Ok((node, compiler.locals))
}

struct Compiler<'a> {
    environment: &'a Environment,
    /// Variables of the folds around, by their places.
    scopes: Vec<&'a str>,
    locals: usize,
}

// === impl Compiler ===

impl<'a> Compiler<'a> {
    fn node(&mut self, expr: &'a Expr) -> Result<Node, CompileError> {
        Ok(match expr {
            Expr::Literal(value) => Node::Constant(value.clone()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select { operand, field, test } => {
                if !test && qualified(expr).is_some_and(|name| name == NULL_VALUE) {
                    return Ok(Node::Constant(Value::Int(0)));
                }
                let operand = Box::new(self.node(operand)?);
                let field = Bytes::from(field.clone());
                if *test { Node::Has { operand, field } } else { Node::Select { operand, field } }
            }
            Expr::Call { target, function, arguments } => self.call(target.as_deref(), function, arguments)?,
            Expr::List(elements) => Node::List(self.nodes(elements)?),
            Expr::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((self.node(key)?, self.node(value)?)));
                Node::Map(entries.collect::<Result<_, CompileError>>()?)
            }
            Expr::Message { name, fields } => self.message(name, fields)?,
            Expr::Comprehension(comprehension) => self.fold(comprehension)?,
        })
    }

    fn nodes(&mut self, exprs: &'a [Expr]) -> Result<Box<[Node]>, CompileError> {
        exprs.iter().map(|expr| self.node(expr)).collect()
    }

    fn variable(&self, name: &str) -> Node {
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some(place) = self.scopes.iter().rposition(|local| *local == name) {
            return Node::Local(place);
        }
        let is_type = TYPES.contains(&name);
        let name = Bytes::from(name.to_owned());
        Node::Variable { otherwise: is_type.then(|| Value::Type(name.clone())), name }
    }

    fn call(&mut self, target: Option<&'a Expr>, function: &str, arguments: &'a [Expr]) -> Result<Node, CompileError> {
        let unknown = || CompileError::Unknown(format!("there is no function `{function}` for these arguments"));
        match (function, target, arguments) {
            ("_&&_", None, [_, _, ..]) => return Ok(Node::And(self.nodes(arguments)?)),
            ("_||_", None, [_, _, ..]) => return Ok(Node::Or(self.nodes(arguments)?)),
            ("_?_:_", None, [condition, then, otherwise]) => {
                let parts = [self.node(condition)?, self.node(then)?, self.node(otherwise)?];
                return Ok(Node::Conditional(Box::new(parts)));
            }
            ("@not_strictly_false" | "__not_strictly_false__", None, [operand]) => {
                return Ok(Node::NotStrictlyFalse(Box::new(self.node(operand)?)));
            }
            _ => {}
        }
        if let Some(Expr::Ident(namespace)) = target
            && let Some(function) = Function::qualified(namespace, function, arguments.len(), self.environment)
        {
            return Ok(Node::Call { function, arguments: self.nodes(arguments)? });
        }
        let name = function.strip_prefix('.').unwrap_or(function);
        let count = arguments.len() + usize::from(target.is_some());
        let resolved = Function::resolve(name, target.is_some(), count, self.environment).ok_or_else(unknown)?;
        let all = target.into_iter().chain(arguments).map(|argument| self.node(argument));
        let mut all = all.collect::<Result<Vec<_>, _>>()?;
        if let (Function::Matches, [_, Node::Constant(Value::String(pattern))]) = (resolved, &*all) {
            let pattern = functions::regex(pattern);
            all.truncate(1);
            let text = Box::new(all.pop().ok_or_else(unknown)?);
            return Ok(Node::Matches { text, pattern });
        }
        Ok(Node::Call { function: resolved, arguments: all.into() })
    }

    fn message(&mut self, name: &str, fields: &'a [(String, Expr)]) -> Result<Node, CompileError> {
        let name = name.strip_prefix('.').unwrap_or(name);
        let unknown = || CompileError::Unknown(format!("there is no message `{name}`"));
        let descriptor = self.environment.message(name).ok_or_else(unknown)?;
        let fields = fields.iter().map(|(field, value)| {
            let unknown = || CompileError::Unknown(format!("`{name}` has no field `{field}`"));
            let field = descriptor.get_field_by_name(field).ok_or_else(unknown)?;
            Ok((field, self.node(value)?))
        });
        let fields = fields.collect::<Result<_, CompileError>>()?;
        Ok(Node::Message { descriptor, fields })
    }

    fn fold(&mut self, fold: &'a Comprehension) -> Result<Node, CompileError> {
        if !self.environment.comprehensions {
            return Err(CompileError::Unknown("Comprehension support is disabled".to_owned()));
        }
        let range = self.node(&fold.range)?;
        let initial = self.node(&fold.initial)?;
        let (accumulator, variable) = (self.scopes.len(), self.scopes.len() + 1);
        self.scopes.push(&fold.accumulator);
        self.scopes.push(&fold.variable);
        self.locals = self.locals.max(self.scopes.len());
        let condition = self.node(&fold.condition)?;
        let step = self.step(&fold.step, accumulator)?;
        self.scopes.pop();
        let result = self.node(&fold.result)?;
        self.scopes.pop();
        Ok(Node::Fold(Box::new(Fold { range, variable, accumulator, initial, condition, step, result })))
    }

    /// The step of a fold. What `map` and `filter` make of it need not copy the list each time.
    fn step(&mut self, expr: &'a Expr, accumulator: usize) -> Result<Node, CompileError> {
        let Expr::Call { target: None, function, arguments } = expr else { return self.node(expr) };
        let is_accumulator = |expr: &Expr, compiler: &Self| match expr {
            Expr::Ident(name) => compiler.scopes.iter().rposition(|local| local == name) == Some(accumulator),
            _ => false,
        };
        match (function.as_str(), &**arguments) {
            ("_+_", [list, Expr::List(added)]) if is_accumulator(list, self) => match &**added {
                [element] => Ok(Node::Append { accumulator, element: Box::new(self.node(element)?) }),
                _ => self.node(expr),
            },
            ("_?_:_", [condition, then, otherwise]) => {
                let parts = [self.node(condition)?, self.step(then, accumulator)?, self.node(otherwise)?];
                Ok(Node::Conditional(Box::new(parts)))
            }
            _ => self.node(expr),
        }
    }
}

/// `a.b.c` as a name, if it is nothing but names.
fn qualified(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Ident(name) => Some(name.strip_prefix('.').unwrap_or(name).to_owned()),
        Expr::Select { operand, field, test: false } => Some(format!("{}.{field}", qualified(operand)?)),
        _ => None,
    }
}
