//! Tokens to abstract syntax, by recursive descent.

use super::lexer::{Kind, Token, tokens};
use super::{MAX_DEPTH, MAX_SIZE, SyntaxError, macros};
use crate::Value;
use crate::ast::Expr;

/// Words that cannot be names of variables or functions, only of fields.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
/// Words that cannot be names at all.
const KEYWORDS: [&str; 4] = ["in", "true", "false", "null"];

/// Parses a whole expression.
///
/// # Errors
/// The text is none, or too long or too deep.
pub(crate) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if text.chars().count() > MAX_SIZE {
        return Err(SyntaxError::new(MAX_SIZE, "too long an expression"));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, nesting: 0 };
    let parsed = parser.expression()?;
    match parser.peek() {
        Kind::End => Ok(parsed.expr),
        _ => Err(parser.unexpected()),
    }
}

/// An expression and how deep it is, a leaf being 1 deep.
struct Parsed {
    expr: Expr,
    depth: usize,
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    /// Nested calls of [`Parser::expression`].
    nesting: usize,
}

// === impl Parser ===

impl Parser {
    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.next).or(self.tokens.last())
    }

    fn peek(&self) -> &Kind {
        self.token().map_or(&Kind::End, |token| &token.kind)
    }

    fn peek_second(&self) -> &Kind {
        self.tokens.get(self.next + 1).map_or(&Kind::End, |token| &token.kind)
    }

    fn at(&self) -> usize {
        self.token().map_or(0, |token| token.at)
    }

    fn take(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.next += 1;
        kind
    }

    fn sees(&self, mark: &str) -> bool {
        matches!(self.peek(), Kind::Punctuation(seen) if *seen == mark)
    }

    fn accept(&mut self, mark: &str) -> bool {
        let seen = self.sees(mark);
        self.next += usize::from(seen);
        seen
    }

    fn expect(&mut self, mark: &str) -> Result<(), SyntaxError> {
        if self.accept(mark) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn error(&self, what: &str) -> SyntaxError {
        SyntaxError::new(self.at(), what)
    }

    fn unexpected(&self) -> SyntaxError {
        self.error(if *self.peek() == Kind::End { "unexpected end" } else { "unexpected token" })
    }

    fn leaf(expr: Expr) -> Parsed {
        Parsed { expr, depth: 1 }
    }

    fn above(&self, expr: Expr, below: usize) -> Result<Parsed, SyntaxError> {
        if below >= MAX_DEPTH {
            return Err(self.error("too deep an expression"));
        }
        Ok(Parsed { expr, depth: below + 1 })
    }

    fn expression(&mut self) -> Result<Parsed, SyntaxError> {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH + 1 {
            return Err(self.error("too deep an expression"));
        }
        let condition = self.logical("||", "_||_")?;
        let parsed = if self.accept("?") {
            let then = self.logical("||", "_||_")?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            let below = condition.depth.max(then.depth).max(otherwise.depth);
            self.above(Expr::call("_?_:_", vec![condition.expr, then.expr, otherwise.expr]), below)?
        } else {
            condition
        };
        self.nesting -= 1;
        Ok(parsed)
    }

    /// A chain of `||`, or of `&&`: one call however long it is.
    fn logical(&mut self, mark: &str, function: &str) -> Result<Parsed, SyntaxError> {
        let term = |parser: &mut Self| if mark == "||" { parser.logical("&&", "_&&_") } else { parser.relation() };
        let first = term(self)?;
        if !self.sees(mark) {
            return Ok(first);
        }
        let mut depth = first.depth;
        let mut terms = vec![first.expr];
        while self.accept(mark) {
            let next = term(self)?;
            depth = depth.max(next.depth);
            terms.push(next.expr);
        }
        self.above(Expr::call(function, terms), depth)
    }

    fn binary(
        &mut self,
        operators: &[(&str, &str)],
        term: fn(&mut Self) -> Result<Parsed, SyntaxError>,
    ) -> Result<Parsed, SyntaxError> {
        let mut left = term(self)?;
        loop {
            let is_next = |mark: &str| match self.peek() {
                Kind::Punctuation(seen) => *seen == mark,
                Kind::Ident(word) => word == mark,
                _ => false,
            };
            let Some((_, function)) = operators.iter().find(|(mark, _)| is_next(mark)) else { return Ok(left) };
            self.next += 1;
            let right = term(self)?;
            let below = left.depth.max(right.depth);
            left = self.above(Expr::call(function, vec![left.expr, right.expr]), below)?;
        }
    }

    fn relation(&mut self) -> Result<Parsed, SyntaxError> {
        let operators =
            [("==", "_==_"), ("!=", "_!=_"), ("<", "_<_"), ("<=", "_<=_"), (">", "_>_"), (">=", "_>=_"), ("in", "@in")];
        self.binary(&operators, Self::sum)
    }

    fn sum(&mut self) -> Result<Parsed, SyntaxError> {
        self.binary(&[("+", "_+_"), ("-", "_-_")], Self::product)
    }

    fn product(&mut self) -> Result<Parsed, SyntaxError> {
        self.binary(&[("*", "_*_"), ("/", "_/_"), ("%", "_%_")], Self::unary)
    }

    fn unary(&mut self) -> Result<Parsed, SyntaxError> {
        let mut count = 0_usize;
        let function = if self.sees("!") {
            while self.accept("!") {
                count += 1;
            }
            "!_"
        } else {
            // The minus just before a number belongs to it.
            while self.sees("-") && !matches!(self.peek_second(), Kind::Int(_) | Kind::Double(_)) {
                self.next += 1;
                count += 1;
            }
            "-_"
        };
        let member = self.member()?;
        if count.is_multiple_of(2) {
            return Ok(member);
        }
        self.above(Expr::call(function, vec![member.expr]), member.depth)
    }

    fn member(&mut self) -> Result<Parsed, SyntaxError> {
        // The name of a message, if that is what all so far may be.
        let mut name = match self.peek() {
            Kind::Ident(word) => Some(word.clone()),
            Kind::Punctuation(".") => match self.peek_second() {
                Kind::Ident(word) => Some(word.clone()),
                _ => None,
            },
            _ => None,
        };
        let mut operand = self.primary()?;
        if !matches!(operand.expr, Expr::Ident(_)) {
            name = None;
        }
        loop {
            if self.accept(".") {
                let (field, escaped) = self.field()?;
                if !escaped && self.accept("(") {
                    operand = self.method(operand, field)?;
                    name = None;
                } else {
                    name = name.filter(|_| !escaped).map(|name| format!("{name}.{field}"));
                    let depth = operand.depth;
                    operand =
                        self.above(Expr::Select { operand: Box::new(operand.expr), field, test: false }, depth)?;
                }
            } else if self.accept("[") {
                let index = self.expression()?;
                self.expect("]")?;
                let below = operand.depth.max(index.depth);
                operand = self.above(Expr::call("_[_]", vec![operand.expr, index.expr]), below)?;
                name = None;
            } else if let Some(message) = name.take_if(|_| self.sees("{")) {
                self.next += 1;
                operand = self.message(message)?;
            } else {
                return Ok(operand);
            }
        }
    }

    /// The name of a field, and whether it was in backticks.
    fn field(&mut self) -> Result<(String, bool), SyntaxError> {
        match self.peek() {
            Kind::Ident(word) if !KEYWORDS.contains(&word.as_str()) => {
                let word = word.clone();
                self.next += 1;
                Ok((word, false))
            }
            Kind::Escaped(word) => {
                let word = word.clone();
                self.next += 1;
                Ok((word, true))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn method(&mut self, target: Parsed, function: String) -> Result<Parsed, SyntaxError> {
        let at = self.at();
        let (arguments, depth) = self.arguments()?;
        let below = depth.max(target.depth);
        let expr = if macros::is_fold(&function, arguments.len()) {
            macros::fold(target.expr, &function, arguments, at)?
        } else {
            Expr::Call { target: Some(Box::new(target.expr)), function, arguments }
        };
        self.above(expr, below)
    }

    /// What stands between the parentheses of a call, and how deep it is.
    fn arguments(&mut self) -> Result<(Vec<Expr>, usize), SyntaxError> {
        let (mut arguments, mut depth) = (Vec::new(), 0);
        if self.accept(")") {
            return Ok((arguments, depth));
        }
        loop {
            let argument = self.expression()?;
            depth = depth.max(argument.depth);
            arguments.push(argument.expr);
            if !self.accept(",") {
                self.expect(")")?;
                return Ok((arguments, depth));
            }
        }
    }

    /// Elements up to `end`; one more comma may stand behind them, even if there are none.
    fn elements(
        &mut self,
        end: &str,
        mut element: impl FnMut(&mut Self) -> Result<(), SyntaxError>,
    ) -> Result<(), SyntaxError> {
        if self.accept(",") {
            return self.expect(end);
        }
        while !self.accept(end) {
            element(self)?;
            if !self.accept(",") {
                return self.expect(end);
            }
        }
        Ok(())
    }

    fn message(&mut self, name: String) -> Result<Parsed, SyntaxError> {
        let (mut fields, mut depth) = (Vec::new(), 0);
        self.elements("}", |parser| {
            let (field, _) = parser.field()?;
            parser.expect(":")?;
            let value = parser.expression()?;
            depth = depth.max(value.depth);
            fields.push((field, value.expr));
            Ok(())
        })?;
        self.above(Expr::Message { name, fields }, depth)
    }

    fn primary(&mut self) -> Result<Parsed, SyntaxError> {
        let at = self.at();
        match self.take() {
            Kind::Punctuation("(") => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Punctuation("[") => {
                let (mut elements, mut depth) = (Vec::new(), 0);
                self.elements("]", |parser| {
                    let element = parser.expression()?;
                    depth = depth.max(element.depth);
                    elements.push(element.expr);
                    Ok(())
                })?;
                self.above(Expr::List(elements), depth)
            }
            Kind::Punctuation("{") => {
                let (mut entries, mut depth) = (Vec::new(), 0);
                self.elements("}", |parser| {
                    let key = parser.expression()?;
                    parser.expect(":")?;
                    let value = parser.expression()?;
                    depth = depth.max(key.depth).max(value.depth);
                    entries.push((key.expr, value.expr));
                    Ok(())
                })?;
                self.above(Expr::Map(entries), depth)
            }
            Kind::Punctuation("-") => match self.take() {
                Kind::Int(value) => {
                    let value = 0_i64.checked_sub_unsigned(value);
                    let value = value.ok_or_else(|| SyntaxError::new(at, "a number out of range"))?;
                    Ok(Self::leaf(Expr::Literal(Value::Int(value))))
                }
                Kind::Double(value) => Ok(Self::leaf(Expr::Literal(Value::Double(-value)))),
                _ => Err(SyntaxError::new(at, "unexpected token")),
            },
            Kind::Punctuation(".") => match self.take() {
                Kind::Ident(word) => self.name(word, at),
                _ => Err(SyntaxError::new(at, "unexpected token")),
            },
            Kind::Ident(word) => match word.as_str() {
                "true" => Ok(Self::leaf(Expr::Literal(Value::Bool(true)))),
                "false" => Ok(Self::leaf(Expr::Literal(Value::Bool(false)))),
                "null" => Ok(Self::leaf(Expr::Literal(Value::Null))),
                _ => self.name(word, at),
            },
            Kind::Int(value) => {
                let value = i64::try_from(value).map_err(|_| SyntaxError::new(at, "a number out of range"))?;
                Ok(Self::leaf(Expr::Literal(Value::Int(value))))
            }
            Kind::UInt(value) => Ok(Self::leaf(Expr::Literal(Value::UInt(value)))),
            Kind::Double(value) => Ok(Self::leaf(Expr::Literal(Value::Double(value)))),
            Kind::String(value) => Ok(Self::leaf(Expr::Literal(Value::String(value)))),
            Kind::Bytes(value) => Ok(Self::leaf(Expr::Literal(Value::Bytes(value)))),
            Kind::Punctuation(_) | Kind::Escaped(_) | Kind::End => Err(SyntaxError::new(at, "unexpected token")),
        }
    }

    /// A variable, or the call of a function.
    fn name(&mut self, word: String, at: usize) -> Result<Parsed, SyntaxError> {
        if KEYWORDS.contains(&word.as_str()) || RESERVED.contains(&word.as_str()) {
            return Err(SyntaxError::new(at, format!("`{word}` is a reserved word")));
        }
        if !self.accept("(") {
            return Ok(Self::leaf(Expr::Ident(word)));
        }
        let (arguments, depth) = self.arguments()?;
        let expr = match macros::global(&word, &arguments, at)? {
            Some(expr) => expr,
            None => Expr::Call { target: None, function: word, arguments },
        };
        self.above(expr, depth)
    }
}
