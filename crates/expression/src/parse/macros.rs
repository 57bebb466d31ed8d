//! The macros of the language: `has`, and the folds over a list or the keys of a map.

use super::SyntaxError;
use crate::Value;
use crate::ast::{Comprehension, Expr};

const ACCUMULATOR: &str = "__result__";

/// `function(arguments)`, if it is a macro.
pub(super) fn global(function: &str, arguments: &[Expr], at: usize) -> Result<Option<Expr>, SyntaxError> {
    match (function, arguments) {
        ("has", [Expr::Select { operand, field, test: false }]) => {
            Ok(Some(Expr::Select { operand: operand.clone(), field: field.clone(), test: true }))
        }
        ("has", [_]) => Err(SyntaxError::new(at, "has() takes the selection of a field")),
        _ => Ok(None),
    }
}

/// Whether `target.function(…)` with that many arguments is a macro.
pub(super) fn is_fold(function: &str, arguments: usize) -> bool {
    matches!((function, arguments), ("all" | "exists" | "exists_one" | "map" | "filter", 2) | ("map", 3))
}

/// What such a macro stands for.
pub(super) fn fold(target: Expr, function: &str, arguments: Vec<Expr>, at: usize) -> Result<Expr, SyntaxError> {
    let mut arguments = arguments.into_iter();
    let variable = match arguments.next() {
        Some(Expr::Ident(name)) if name != ACCUMULATOR && !name.starts_with('.') => name,
        _ => return Err(SyntaxError::new(at, "the first argument must be a simple name")),
    };
    let (Some(first), second) = (arguments.next(), arguments.next()) else {
        return Err(SyntaxError::new(at, "too few arguments"));
    };
    let accumulator = || Expr::ident(ACCUMULATOR);
    let yes = || Expr::Literal(Value::Bool(true));
    let append = |element| Expr::call("_+_", vec![accumulator(), Expr::List(vec![element])]);
    let choose = |condition, then| Expr::call("_?_:_", vec![condition, then, accumulator()]);
    let (initial, condition, step, result) = match function {
        "all" => (
            yes(),
            Expr::call("@not_strictly_false", vec![accumulator()]),
            Expr::call("_&&_", vec![accumulator(), first]),
            accumulator(),
        ),
        "exists" => (
            Expr::Literal(Value::Bool(false)),
            Expr::call("@not_strictly_false", vec![Expr::call("!_", vec![accumulator()])]),
            Expr::call("_||_", vec![accumulator(), first]),
            accumulator(),
        ),
        "exists_one" => {
            let one = || Expr::Literal(Value::Int(1));
            let more = Expr::call("_+_", vec![accumulator(), one()]);
            let is_one = Expr::call("_==_", vec![accumulator(), one()]);
            (Expr::Literal(Value::Int(0)), yes(), choose(first, more), is_one)
        }
        "filter" => {
            let step = choose(first, append(Expr::Ident(variable.clone())));
            (Expr::List(Vec::new()), yes(), step, accumulator())
        }
        _ => {
            let step = match second {
                Some(transform) => choose(first, append(transform)),
                None => append(first),
            };
            (Expr::List(Vec::new()), yes(), step, accumulator())
        }
    };
    let accumulator = ACCUMULATOR.to_owned();
    let fold = Comprehension { variable, range: target, accumulator, initial, condition, step, result };
    Ok(Expr::Comprehension(Box::new(fold)))
}
